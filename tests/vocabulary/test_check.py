"""The check of a class list: what is found, what is advised, and laws that hold for every list."""

from dataclasses import replace

import numpy as np
import pytest

from densezero.errors import VocabularyError
from densezero.vocabulary import TEMPLATES, ClassEntry, ClassList, load_packaged, parse_inline
from densezero.vocabulary.check import check_classes
from densezero.vocabulary.check_table import NAMES, ROWS_OF_KIND, explain_scale, write_findings, write_synonyms
from densezero.vocabulary.closeness import Closeness
from densezero.vocabulary.findings import KINDS, Finding, check_spelling, merged
from densezero.vocabulary.text_limits import CutWord
from tests.vocabulary.test_closeness import at_angles, random_units

TCL9 = TEMPLATES["tcl9"]
SCALE = Closeness(np.linspace(0, 1, 1001, dtype=np.float32))  # near from 0.999, that is 2.6 degrees; far under 0.9, 26
UNRELATED = (0, 90, 180, 270)


def check(classes, vectors, **options):
    return check_classes(parse_inline(classes), vectors, SCALE, options.pop("templates", TCL9), **options)


def kinds(result):
    return [finding.kind for finding in result.findings]


def spelled(classes, kind):
    return [finding for finding in check_spelling(parse_inline(classes), TCL9) if finding.kind == kind]


def test_a_good_list_has_no_findings():
    result = check("sky, grass, dog, cat", at_angles(*UNRELATED))
    assert result.findings == ()
    assert result.synonyms == ()


def test_classes_that_nearly_coincide_are_named_with_their_cosine():
    (finding,) = check("sky, hill, dog, mountain", at_angles(0, 91, 180, 90)).findings
    assert (finding.kind, finding.classes, finding.words) == ("near", ("hill", "mountain"), ("hill", "mountain"))
    assert finding.cosine == pytest.approx(np.cos(np.deg2rad(1)), abs=1e-6)
    assert finding.seen == "cosine 1.000, closer than 99.9 % of ordinary pairs"
    assert finding.suggestion.endswith("Write hill=mountain")


def test_a_synonym_that_makes_classes_alike_is_the_one_to_leave_out():
    (finding,) = check("hill=peak, dog=summit", at_angles(0, 20, 25, 21)).findings
    assert finding.words == ("peak", "summit")
    assert finding.seen.startswith("'peak' and 'summit': ")
    assert "Leave out the synonym 'summit'" in finding.suggestion


def test_equal_vectors_are_the_same_words_for_the_model():
    (finding,) = check("sky, dog, cat", at_angles(0, 90, 90)).findings
    assert finding.seen == "the model reads both as the same words"


def test_two_words_for_one_thing_are_found_once_also_if_their_vectors_are_close():
    (finding,) = check("sofa, sky, couch", at_angles(0, 90, 1)).findings
    assert (finding.kind, finding.classes) == ("same", ("sofa", "couch"))
    assert finding.suggestion == "Make one class of them: sofa=couch"


def test_two_spellings_are_found():
    (finding,) = spelled("traffic light, sky, traffic-lights", "same")
    assert finding.seen == "'traffic light' and 'traffic-lights' are one word, spelled in two ways"


def test_several_words_for_one_thing_are_one_finding():
    (finding,) = spelled("sofa, sky, couch, settees=bench", "same")
    assert (finding.classes, finding.words) == (("sofa", "couch", "settees"), ("sofa", "couch", "settees"))
    assert finding.seen == "'sofa', 'couch' and 'settees' mean the same thing"
    assert finding.suggestion == "Make one class of them: sofa=couch|settees|bench"


def test_a_class_with_words_of_two_others_does_not_make_one_thing_of_them():
    found = spelled("sofa, truck, stuff=couch|lorry", "same")
    assert [each.classes for each in found] == [("sofa", "stuff"), ("truck", "stuff")]


def test_classes_that_nearly_coincide_by_one_word_are_one_finding():
    (finding,) = check("sea, dog, pond, river, cat", at_angles(0, 90, 2.5, 5, 180)).findings  # near is 2.6 degrees
    assert (finding.kind, finding.classes) == ("near", ("sea", "pond", "river"))
    assert finding.cosine == pytest.approx(np.cos(np.deg2rad(2.5)), abs=1e-6)
    assert finding.seen.startswith("cosine 0.999 or more from each to another, ")
    assert finding.suggestion.endswith("One thing? Write sea=pond|river")


def test_classes_that_nearly_coincide_by_different_words_of_one_class_stay_apart():
    found = check("dog, other=gnu, cat", at_angles(1, 0, 90, 91)).findings
    assert [each.classes for each in found if each.kind == "near"] == [("dog", "other"), ("other", "cat")]


def test_many_classes_that_nearly_coincide_are_named_with_their_words():
    names = "abbey, badge, cargo, decoy, ember"
    (finding,) = check(f"{names}, dog", at_angles(0, 0, 0, 0, 0, 90)).findings
    assert (
        finding.seen == "'abbey', 'badge', 'cargo', 'decoy' and 'ember': the model reads all of them as the same words"
    )


def test_synonyms_of_one_class_may_mean_the_same():
    assert spelled("sofa=couch, sky", "same") == []


def test_a_word_that_a_published_list_has_twice_is_found():
    found = [each for each in check_spelling(load_packaged("ovss-coco-object"), TCL9) if each.kind == "same"]
    assert [each.classes for each in found] == [("background", "bed")]
    assert found[0].seen == "'bed' stands in both; its pixels go to the first"


def test_a_typing_error_is_a_question():
    (finding,) = spelled("hosue, sky", "typing")
    assert finding.seen == "'hosue': did you mean 'house'?"
    assert finding.suggestion == "Write 'house' if that is meant. Else keep 'hosue'."
    (finding,) = spelled("hosue, house", "typing")
    assert finding.suggestion.startswith("Remove 'hosue' if that is meant")


def test_a_typing_error_in_a_description_is_shown_without_the_description():
    (finding,) = spelled("a small hosue beside the water under a cloudy sky, sky", "typing")
    assert finding.seen == "'hosue' in 'a small hosue beside the water under a c...': did you mean 'house'?"
    assert finding.suggestion == "Write 'house' if that is meant. Else keep 'hosue'."


def test_names_of_data_files_are_one_finding():
    (finding,) = spelled("dining_table, wall-other, sky", "spelling")
    assert finding.words == ("dining_table", "wall-other")
    assert finding.suggestion == "Write 'dining table' for 'dining_table', 'wall' for 'wall-other'."


def test_a_description_is_long_for_a_template_unless_it_is_taken_as_it_is():
    text = "a wide green field of grass behind the red house"
    (finding,) = spelled(f"field={text}, sky", "long")
    assert finding.seen == "'a wide green field of grass behind the r...': 10 words in 'itap of a {}.'"
    assert not list(check_spelling(parse_inline(f"field={text}, sky"), TEMPLATES["plain"]))


def test_a_cut_description_is_named_with_what_is_ignored_and_not_called_long_as_well():
    text = "a wide green field of grass behind the red house beside the blue lake"
    cut = [CutWord(text, "a wide green field of grass behind the red house", "beside the blue lake")]
    (finding,) = check(f"field={text}, sky", at_angles(0, 10, 90), cut=cut).findings
    assert (finding.kind, finding.classes, finding.words) == ("cut", ("field",), (text,))
    assert finding.seen == (
        "'a wide green field of grass behind the r...': read up to '... the red house'; "
        "4 of its 14 words are ignored: 'beside the blue lake'"
    )


def test_one_class_alone_is_a_finding():
    assert kinds(check("cat", at_angles(0))) == ["one-class"]


def test_a_synonym_far_from_all_others_is_found():
    result = check("boat=ship|yacht|barn, sky", at_angles(0, 10, 20, 60, 180))
    (finding,) = result.findings
    assert (finding.kind, finding.words) == ("far", ("barn",))
    assert finding.cosine == pytest.approx(np.cos(np.deg2rad(40)), abs=1e-6)
    (row,) = result.synonyms
    assert (row.name, row.words, row.pair) == ("boat", 4, ("boat", "barn"))
    assert (row.cosine, row.share) == (pytest.approx(0.5, abs=1e-6), pytest.approx(0.5, abs=1e-3))


def test_a_synonym_that_is_known_to_mean_the_same_is_not_far():
    assert check("sofa=couch|barn, sky", at_angles(0, 60, 120, 200)).findings[0].words == ("barn",)


def test_of_words_that_all_lie_apart_the_first_one_stays():
    (finding,) = check("boat=barn, sky", at_angles(0, 60, 180)).findings
    assert finding.words == ("barn",)


def test_words_for_background_need_not_be_alike():
    result = check("background=wall|sky, dog", at_angles(0, 90, 180, 270))
    assert result.findings == ()
    assert [row.name for row in result.synonyms] == ["background"]


def test_the_most_serious_findings_come_first_and_equal_ones_by_closeness():
    vectors = at_angles(0, 2.5, 100, 101, 200, 260)
    result = check("grass, hill, sky, mountain, hosue, wall-other", vectors)
    assert kinds(result) == ["near", "near", "typing", "spelling"]
    assert result.findings[0].classes == ("sky", "mountain")
    assert list(KINDS).index("same") < list(KINDS).index("near") < list(KINDS).index("far")


def test_another_number_of_vectors_is_refused():
    with pytest.raises(VocabularyError, match="Expected 3 vectors, one for each word; got 2"):
        check("sky, sea=ocean", at_angles(0, 90))


def described(result):
    """Findings that do not depend on the order of the classes."""
    return {
        (each.kind, frozenset(each.classes), frozenset(each.words), each.cosine and round(each.cosine, 5))
        for each in result.findings
    }


def test_permuting_the_classes_permutes_the_findings():
    classes = parse_inline(
        "sofa, hosue, couch, boat=ship|barn, sky, wall-other, traffic light, traffic-lights, hill=peak, lawn, dog, cat"
    )
    vectors = random_units(15, 3)
    vectors[-1] = vectors[-2]
    scale = Closeness.of(random_units(15, 3, seed=5))
    starts = np.cumsum([0, *map(len, classes.words)])
    results = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(classes))
        rows = [row for index in order for row in range(starts[index], starts[index + 1])]
        permuted = ClassList("permuted", tuple(classes.entries[index] for index in order))
        results.append(check_classes(permuted, vectors[rows], scale, TCL9))
    assert {"same", "typing", "spelling", "near", "far"} <= {kind for kind, *_ in described(results[0])}
    assert len({frozenset(described(result)) for result in results}) == 1
    assert len({result.synonyms for result in results}) == 1


@pytest.mark.parametrize("place", range(4))
def test_a_copy_of_a_class_under_another_name_is_found(place):
    classes = parse_inline("sky, grass, dog, cat")
    vectors, scale = random_units(4), Closeness.of(random_units(30, seed=3))
    doubled = ClassList("doubled", (*classes.entries, ClassEntry("wombat")))
    result = check_classes(doubled, np.concatenate([vectors, vectors[place : place + 1]]), scale, TCL9)
    assert (classes.names[place], "wombat") in [finding.classes for finding in result.findings]


def test_rotating_all_vectors_changes_nothing():
    """Only angles count, as for the model."""
    vectors, scale = random_units(5, 3), Closeness.of(random_units(30, 3, seed=3))
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    classes = parse_inline("sky, grass=lawn, dog, cat")
    results = [check_classes(classes, each, scale, TCL9) for each in (vectors, (vectors @ turn).astype(np.float32))]
    assert described(results[0]) == described(results[1])


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (ClassEntry("sofa"), ClassEntry("couch"), "sofa=couch"),
        (ClassEntry("tv", ("television",)), ClassEntry("screen"), "tv=television|screen"),
        (ClassEntry("door, double door"), ClassEntry("gate"), ""),
        (ClassEntry("sofa"), ClassEntry("a" * 80), ""),
    ],
)
def test_two_classes_as_one_can_be_put_into_a_list(first, second, text):
    assert merged([first, second]) == text
    if text:
        assert set(parse_inline(text).words[0]) >= set(first.words) | set(second.words)


def finding(kind="near", classes=("sky", "sea"), number=0):
    return Finding(kind, classes, classes, f"seen {number}", f"do {number}")


def test_the_table_has_each_kind_once_and_a_suggestion_under_each_finding():
    lines = list(write_findings([finding("same", number=1), finding(number=2), finding(number=3)]))
    assert lines[0] == "3 findings, the most serious first."
    assert [line for line in lines if line.isupper() or "(" in line] == [
        "THE SAME THING TWICE (1). Two classes have words for one thing, so chance decides which one a pixel gets.",
        "HARD TO TELL APART (2). The model hardly sees a difference between two classes, or does not know them.",
    ]
    assert [line.split() for line in lines if "->" in line] == [["->", "do", str(n)] for n in (1, 2, 3)]


def test_classes_of_a_file_are_named_with_their_lines():
    text = "\n".join(write_findings([replace(finding(), lines=(3, 12))]))
    assert "  line 3: sky                 seen 0\n  line 12: sea                -> do 0" in text


def test_a_long_table_says_how_much_it_leaves_out():
    lines = list(write_findings([finding(number=n) for n in range(ROWS_OF_KIND + 3)]))
    assert lines[-1] == "  ... and 3 more; --json lists all"
    many = tuple(f"class {n}" for n in range(NAMES + 1))
    assert any(line.startswith("  5 classes ") for line in write_findings([finding(classes=many)]))


def test_nothing_found_says_so():
    assert list(write_findings([])) == ["Nothing was found that should be changed."]
    assert list(write_synonyms([])) == ["No class has synonyms (name=synonym|synonym)."]


def test_the_scale_and_the_worth_of_words_are_explained():
    text = " ".join(explain_scale(SCALE, "nano"))
    assert "0.999 or more, which 1 in 1,000 of these pairs reach" in text
    assert "less than 0.900, which 10 in 100 of these pairs reach" in text
    assert "moved mIoU by 5 to 14 points" in text


@pytest.mark.parametrize("name", KINDS)
def test_no_line_is_wider_than_a_terminal(name):
    long = finding(name, ("a" * 70, "b c" * 30))
    long = Finding(name, long.classes, long.words, "seen " * 60, "do " * 60)
    assert max(map(len, write_findings([long]))) <= 112
