"""``densezero vocabularies check``, in process."""

import json

import pytest
from typer.testing import CliRunner

from densezero.cli.main import app
from tests.evaluation.test_check_vocabulary import BAD, DESCRIPTION
from tests.jobs.photos import write_scenes

NANO = ("--model", "nano", "--templates", "plain", "--dtype", "float32")


def run(*words):
    outcome = CliRunner().invoke(app, ["vocabularies", "check", *map(str, words)])
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome


def test_findings_are_printed_with_suggestions_and_end_with_status_zero(tmp_path):
    (tmp_path / "words.txt").write_text(BAD.format(description=DESCRIPTION))
    outcome = run(tmp_path / "words.txt", *NANO)
    assert outcome.exit_code == 0
    text = outcome.stdout
    assert text.startswith(
        f"{tmp_path / 'words.txt'}: 6 classes, 9 words; checked with nano and the templates plain.\n"
    )
    assert "-> Make one class of them: sofa=couch\n" in text
    assert "-> Write 'house' if that is meant. Else keep 'hosue'.\n" in text
    assert "of its 100 words are ignored" in text
    assert "moved mIoU by 5 to 14 points" in text
    assert "note: nano is a tiny model" in outcome.stderr
    assert "6 classes: sky, sofa" in outcome.stderr


def test_a_packaged_list_says_how_to_change_a_copy():
    text = run("voc21", *NANO).stdout
    assert "densezero vocabularies show voc21 --json > my-words.json" in text


def test_the_copy_of_a_packaged_list_can_be_checked(tmp_path):
    shown = CliRunner().invoke(app, ["vocabularies", "show", "ovss-voc21", "--json"]).stdout
    (tmp_path / "my-words.json").write_text(shown)
    assert run(tmp_path / "my-words.json", *NANO).exit_code == 0


def test_words_are_tried_on_images_and_a_broken_image_gives_status_one(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png", "b.png"])
    words = ("--classes", "sky, grass, boat=ship", "--images", folder, *NANO)
    outcome = run(*words)
    assert outcome.exit_code == 0
    assert "WINNING WORDS on 2 images" in outcome.stdout
    assert "2/2 images" in outcome.stderr
    assert "WINNING WORDS on 1 of 2 images" in run(*words, "--limit", "1").stdout
    (folder / "broken.jpg").write_bytes(b"x")
    outcome = run(*words, "-q")
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("failed: ")
    assert "broken.jpg" in outcome.stderr
    assert "WINNING WORDS on 2 of 3 images" in outcome.stdout


def test_everything_is_json_on_demand(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    found = json.loads(run("-c", "sofa, couch, sea=ocean", "--images", folder, "--json", *NANO).stdout)
    assert (found["list"], found["classes"], found["words"], found["model"]) == ("--classes", 3, 4, "nano")
    assert found["findings"][0] == {
        "kind": "same", "classes": ["sofa", "couch"], "words": ["sofa", "couch"],
        "seen": "'sofa' and 'couch' mean the same thing", "suggestion": "Make one class of them: sofa=couch",
        "cosine": None, "lines": [],
    }  # fmt: skip
    assert [row["name"] for row in found["synonyms"]] == ["sea"]
    assert [row["word"] for row in found["wins"]] == ["sofa", "couch", "sea", "ocean"]
    assert (found["images"], found["images_failed"]) == (1, 0)
    assert 0 < found["far_cosine"] < found["near_cosine"] <= 1


@pytest.mark.parametrize("words", [("--limit", "0", "-c", "sky"), ("--modell", "nano")])
def test_an_option_that_does_not_fit_gives_status_two(words):
    assert run(*words).exit_code == 2


def test_the_command_is_in_the_help():
    outcome = CliRunner().invoke(app, ["vocabularies", "--help"])
    assert "check" in outcome.stdout
