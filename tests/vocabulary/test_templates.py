import hashlib
import json
from pathlib import Path

import pytest

from densezero.errors import VocabularyError
from densezero.vocabulary.templates import TEMPLATES, Templates, load_templates

PROMPTS = Path(__file__).parents[3] / "shared" / "reference" / "tips_prompts.json"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def test_tcl9_is_the_list_of_the_published_notebook():
    if not PROMPTS.exists():
        pytest.skip("no ../shared/reference here")
    assert list(load_templates("tcl9").texts) == json.loads(PROMPTS.read_text(encoding="utf-8"))["templates_tcl9"]


def test_imagenet80_is_the_published_list_letter_for_letter():
    # The digest was taken of OPENAI_IMAGENET_TEMPLATES in open_clip 3, one a line.
    digest = hashlib.sha256("\n".join(load_templates("imagenet80").texts).encode()).hexdigest()
    assert digest == "4f976686fb651bb5803d4689dcd849f75efe0ef19a3c801355bc9a6f03c8a5af"


def test_imagenet80_begins_and_ends_as_published():
    texts = load_templates("imagenet80").texts
    assert len(texts) == 80
    assert (texts[0], texts[1], texts[79]) == ("a bad photo of a {}.", "a photo of many {}.", "a tattoo of the {}.")


def test_imagenet7_is_chosen_from_the_eighty():
    seven = load_templates("imagenet7").texts
    assert len(seven) == 7
    assert set(seven) < set(load_templates("imagenet80").texts)
    assert (seven[0], seven[1]) == ("itap of a {}.", "a bad photo of the {}.")


def test_plain_is_the_word_alone():
    assert load_templates("plain").fill("boat") == ["boat"]


def test_every_set_is_filed_under_its_own_name():
    assert {name: templates.name for name, templates in TEMPLATES.items()} == {name: name for name in TEMPLATES}


def test_a_word_is_set_in_every_template_in_order():
    templates = Templates("two", ("a {} in a video game.", "a photo of {}s."))
    assert templates.fill("boat") == ["a boat in a video game.", "a photo of boats."]


def test_a_word_with_braces_is_set_as_it_is():
    assert Templates("one", ("a {}.",)).fill("{}{0}") == ["a {}{0}."]


@pytest.mark.parametrize("text", ["a photo.", "a {} and a {}.", "a {0}.", "", "{ }"])
def test_a_template_without_exactly_one_place_is_refused_by_name(text):
    with pytest.raises(VocabularyError, match=r"with one \{\} for the word") as caught:
        Templates("mine", ("{}", text))
    assert repr(text) in str(caught.value)


def test_no_templates_are_refused():
    with pytest.raises(VocabularyError, match="Expected templates in 'mine', got none"):
        Templates("mine", ())


def test_a_repeated_template_is_refused_with_both_numbers():
    with pytest.raises(VocabularyError, match="appears twice, as number 1 and 3"):
        Templates("mine", ("{}", "a {}", "{}"))


def test_the_hash_follows_texts_and_order_but_not_the_name():
    base = Templates("a", ("{}", "a {}")).sha256
    assert Templates("b", ("{}", "a {}")).sha256 == base
    assert Templates("a", ("a {}", "{}")).sha256 != base
    assert Templates("a", ("{}", "an {}")).sha256 != base


def test_a_file_has_one_template_a_line(tmp_path):
    path = write(tmp_path, "\ufeff# mine\r\na photo of a {}.\r\n\r\n  the {} #1\r\n")
    assert load_templates(path) == Templates("mine", ("a photo of a {}.", "the {} #1"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a {}\n\na photo\n", r"mine\.txt, line 3: .*got 'a photo' with 0"),
        ("{} and {}\n", r"mine\.txt, line 1: .*with 2"),
        ("a {}\nthe {}\na {}\n", r"mine\.txt: template 'a \{\}' appears twice: line 1 and line 3"),
        ("", r"mine\.txt: expected templates, got an empty file"),
        ("# none\n", r"mine\.txt: expected templates"),
        (b"a {}\nf\xfcr {}\n", r"mine\.txt, line 2: expected UTF-8"),
    ],
)
def test_a_malformed_file_is_refused_with_file_and_line(tmp_path, text, said):
    with pytest.raises(VocabularyError, match=said):
        load_templates(write(tmp_path, text))


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(VocabularyError, match=r"'imagenet8': no such file\. Did you mean 'imagenet80'\?"):
        load_templates("imagenet8")
