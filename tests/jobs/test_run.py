import os
import signal
import threading
import time
import weakref
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from densezero.errors import DeviceFullError, InputError, OutputError
from densezero.images import FoundImage
from densezero.interrupts import Interrupts
from densezero.jobs.manifest import Manifest, read_earlier
from densezero.jobs.places import OutputFolder
from densezero.jobs.run import ImageJob, ImageRun, Outcome
from tests.jobs.photos import Recorder, write_scenes

NAMES = tuple("abcdef")
PHASES = ("read", "work", "write")
PATIENCE = 20.0  # seconds after which what was waited for will not come


@pytest.fixture(autouse=True)
def inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("here").mkdir()
    for name in NAMES:
        (Path("here") / name).write_text(name)


class Held:
    """What is held of an image between two steps."""

    def __init__(self, image):
        self.image = image


@dataclass(frozen=True)
class Request:
    overwrite: bool = False
    dry_run: bool = False


class Course(ImageJob):
    """Steps that write one line for each image, and tell when each begins and ends."""

    def __init__(self, root, at=lambda phase, name: None, at_once=None):
        self.root, self.at, self.at_once, self.taken = root, at, at_once or 1, []
        self.takes_several = at_once is not None
        self.began, self.ended = defaultdict(threading.Event), defaultdict(threading.Event)
        self.log, self.under_way, self.most_under_way = [], set(), 0
        self.held = []

    def file(self, relative):
        return self.root / f"{relative}.txt"

    def files(self, image):
        return [f"{image.relative}.txt"]

    def held_bytes(self, hw):
        return 4 * hw[0] * hw[1]

    def read(self, image):
        self.under_way.add(str(image.relative))
        self.most_under_way = max(self.most_under_way, len(self.under_way))
        self.step("read", image)
        return self.hold(image)

    def together(self, images):
        if not self.takes_several:
            return images
        self.taken.append(len(images))
        self.at("together", str(len(images)))
        return [self.hold(held.image) for held in images]

    def work(self, content):
        self.step("work", content.image)
        return self.hold(content.image)

    def write(self, image, _):
        self.step("write", image)
        self.file(image.relative).write_text("whole")
        self.under_way.discard(str(image.relative))
        return Outcome((1, 1))

    def step(self, phase, image):
        name = str(image.relative)
        self.log.append((phase, name))
        self.began[phase, name].set()
        self.at(phase, name)
        self.ended[phase, name].set()

    def hold(self, image):
        held = Held(image)
        self.held.append(weakref.ref(held))
        return held


def images_of(names=NAMES, folder=Path("here")):
    return [FoundImage(folder / name, PurePosixPath(name)) for name in names]


def run_over(course, images=None, listener=None):
    run = ImageRun(OutputFolder(course.root), {}, course, listener or Recorder())
    try:
        return run, run.over(images_of() if images is None else images, Request(), {})
    finally:
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("densezero-")]


def recorded(run):
    return {entry.relative: entry.status for entry in entries_of(run) if entry.status != "begun"}


def entries_of(run):
    """From the journal of a run that was stopped, or the manifest of one that ended."""
    earlier = read_earlier(run.folder)
    return [earlier.entries[name] for name in sorted(earlier.entries)]


def following(name):
    return chr(ord(name) + 1)


def test_the_next_image_is_read_and_the_last_one_written_while_the_model_works(tmp_path):
    def meet(phase, name):
        if phase != "work":
            return
        if name != NAMES[-1]:
            assert course.began["read", following(name)].wait(PATIENCE), "the next image is not read"
        if name != NAMES[0]:
            assert course.began["write", chr(ord(name) - 1)].wait(PATIENCE), "the last image is not written"

    course = Course(tmp_path, meet)
    _, summary = run_over(course)
    assert (summary.done, summary.failed, summary.stopped) == (6, 0, None)


def test_a_file_is_written_to_its_end_beside_the_model(tmp_path):
    def late(phase, name):
        if phase == "write" and name != NAMES[-1]:
            assert course.ended["work", following(name)].wait(PATIENCE), "the model waits for the files"

    course = Course(tmp_path, late)
    assert run_over(course)[1].done == 6


def test_three_images_at_most_are_under_way(tmp_path):
    def linger(phase, name):
        if phase == "work":
            assert not course.began["read", chr(ord(name) + 2)].wait(0.05), "the reader runs away"
        if phase == "write" and name in "abcd":
            assert course.began["read", chr(ord(name) + 2)].wait(PATIENCE)

    course = Course(tmp_path, linger)
    assert run_over(course)[1].done == 6
    assert course.most_under_way == 3


def test_what_is_held_of_an_image_goes_when_its_files_are_there(tmp_path):
    alive = []

    def count(phase, name):
        if phase == "work":
            alive.append(sum(reference() is not None for reference in course.held))

    course = Course(tmp_path, count)
    assert run_over(course)[1].done == 6
    assert max(alive) <= 3


def test_progress_comes_in_the_order_of_the_images(tmp_path):
    def stumble(phase, name):
        if (phase, name) in {("read", "b"), ("work", "c"), ("write", "e")}:
            raise InputError("expected something else")

    recorder = Recorder()
    run, summary = run_over(Course(tmp_path, stumble), listener=recorder)
    assert [progress.relative for progress in recorder.images] == list(NAMES)
    assert [(progress.done, progress.failed) for progress in recorder.images] == [
        (1, 0), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3)
    ]  # fmt: skip
    assert (summary.done, summary.failed) == (3, 3)
    assert [entry.relative for entry in entries_of(run)] == list(NAMES)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", ["a", "c", "f"])
def test_a_failure_in_any_step_is_named_and_harms_no_other_image(tmp_path, phase, name):
    def stumble(*place):
        if place == (phase, name):
            raise ValueError("some defect")

    course, recorder = Course(tmp_path, stumble), Recorder()
    run, summary = run_over(course, listener=recorder)
    assert (summary.done, summary.failed, summary.stopped) == (5, 1, None)
    assert recorded(run) == {other: "failed" if other == name else "done" for other in NAMES}
    assert recorder.images[NAMES.index(name)].error == f"here/{name}: ValueError: some defect"
    assert {other for other in NAMES if course.file(other).exists()} == set(NAMES) - {name}
    later = PHASES[PHASES.index(phase) + 1 :]
    assert not [place for place in course.log if place[0] in later and place[1] == name]


def test_the_journal_names_the_files_before_they_come_and_counts_them_after(tmp_path, monkeypatch):
    real, there = Manifest.add, []

    def spied(self, entry, **how):
        there.append((entry.status, (tmp_path / f"{entry.relative}.txt").exists(), how))
        real(self, entry, **how)

    monkeypatch.setattr(Manifest, "add", spied)
    assert run_over(Course(tmp_path))[1].done == 6
    assert there == [("begun", False, {"durable": True}), ("done", True, {})] * 6


def test_a_full_device_ends_the_run_and_nothing_is_written_after_it(tmp_path):
    def full(*place):
        if place == ("write", "c"):
            raise DeviceFullError("Cannot write: no space is left on the device.")

    course, recorder = Course(tmp_path, full), Recorder()
    run, summary = run_over(course, listener=recorder)
    assert (summary.done, summary.failed) == (2, 0)
    assert "no space" in summary.stopped
    assert recorded(run) == {"a": "done", "b": "done"}
    assert [name for phase, name in course.log if phase == "write"] == ["a", "b", "c"]
    assert [progress.relative for progress in recorder.images] == ["a", "b"]


@pytest.mark.parametrize("status", ["begun", "done"])
def test_a_full_device_at_the_entry_ends_the_run(tmp_path, monkeypatch, status):
    real = Manifest.add

    def full(self, entry, **how):
        if (entry.relative, entry.status) == ("b", status):
            raise DeviceFullError("Cannot write: no space is left on the device.")
        real(self, entry, **how)

    monkeypatch.setattr(Manifest, "add", full)
    course = Course(tmp_path)
    run, summary = run_over(course)
    assert (summary.done, recorded(run)) == (1, {"a": "done"})
    assert [name for phase, name in course.log if phase == "write"] == ["a", "b"][: 1 + (status == "done")]
    monkeypatch.setattr(Manifest, "add", real)
    assert (run_over(course)[1].done, len(list(tmp_path.glob("*.txt")))) == (5, 6)


def test_an_entry_that_cannot_be_written_ends_the_run_with_its_reason(tmp_path, monkeypatch):
    def refused(self, entry, **how):
        raise OutputError("Cannot write: permission was denied.")

    monkeypatch.setattr(Manifest, "add", refused)
    with pytest.raises(OutputError, match="permission"):
        run_over(Course(tmp_path))


@pytest.mark.parametrize("phase", PHASES)
def test_what_no_run_can_survive_comes_out_of_any_step_without_a_hang(tmp_path, phase):
    class Killed(BaseException):
        pass

    def die(*place):
        if place == (phase, "c"):
            raise Killed

    with pytest.raises(Killed):
        run_over(Course(tmp_path, die))


# Python itself may lose a file that it has just opened when the interrupt comes; it is closed when it is collected
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("phase", [*PHASES, "tell"])
@pytest.mark.parametrize("name", ["a", "c", "f"])
def test_an_interrupt_in_any_step_leaves_each_image_whole_or_absent(tmp_path, phase, name):
    def interrupt(*place):
        if place == (phase, name):
            os.kill(os.getpid(), signal.SIGINT)  # Python hands it to the main thread, whoever asks
            if threading.current_thread() is not threading.main_thread():
                time.sleep(0.05)  # so that the main thread is stopped while this one is at work

    class Interrupted(Recorder):
        def image(self, progress, miou=None):
            super().image(progress)
            interrupt("tell", progress.relative)

    course = Course(tmp_path, interrupt)
    run, summary = run_over(course, listener=Interrupted())
    assert "go on" in summary.stopped
    whole = {other for other in NAMES if course.file(other).exists()}
    assert recorded(run) == dict.fromkeys(whole, "done")
    assert summary.done == len(whole) == run.done
    assert whole == set(NAMES[: len(whole)])
    begun = [other for step, other in course.log if step == "write"]
    assert begun == sorted(whole), "what was begun is not whole"
    course.at = lambda *place: None
    again = run_over(course)[1]
    assert (again.done, again.skipped, again.stopped) == (6 - len(whole), len(whole), None)


@pytest.mark.parametrize("replaced", [True, False])
def test_an_interrupt_that_a_library_loses_ends_the_run_too(tmp_path, monkeypatch, replaced):
    monkeypatch.setattr(Interrupts, "came", False)

    def lose(phase, name):
        if (phase, name) == ("work", "c"):
            Interrupts.came = True
            if replaced:
                raise ValueError("could not determine the shape")

    course = Course(tmp_path, lose)
    run, summary = run_over(course)
    assert "go on" in summary.stopped
    assert set(recorded(run).values()) == {"done"}, "no image is at fault"
    course.at, Interrupts.came = lambda *place: None, False
    again = run_over(course)[1]
    assert (again.done, again.failed, again.stopped) == (6 - summary.done, 0, None)


def test_a_large_image_is_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("densezero.images.read_ahead.IN_FLIGHT_BYTES", 3 * 4 * 10 * 10)
    folder = write_scenes(tmp_path / "in", ["a.png", "b.png", "d.png", "e.png"], hw=(10, 10))
    write_scenes(folder, ["c.png", "f.png"], hw=(10, 11))
    beside = {}

    def look(phase, name):
        if (phase, name) == ("work", "d.png"):
            assert course.began["read", "e.png"].wait(PATIENCE), "small ones are not read ahead"
        if phase == "read":
            beside[name[0]] = "".join(sorted(other[0] for other in course.under_way - {name}))

    course = Course(tmp_path, look)
    assert run_over(course, images_of([f"{name}.png" for name in NAMES], folder))[1].done == 6
    assert beside["c"] == beside["d"] == beside["f"] == ""
    assert course.log.index(("write", "c.png")) < course.log.index(("read", "d.png"))


def test_no_image_waits(tmp_path):
    course = Course(tmp_path)
    run_over(course)
    _, summary = run_over(course)
    assert (summary.done, summary.skipped) == (0, 6)


def test_several_images_are_worked_on_together_and_then_each_alone(tmp_path):
    course = Course(tmp_path, at_once=4)
    run, summary = run_over(course)
    assert (summary.done, summary.failed) == (6, 0)
    assert course.taken == [4, 2]
    assert [name for phase, name in course.log if phase == "work"] == list(NAMES)
    assert all(entry.seconds > 0 for entry in entries_of(run))


def test_the_next_images_are_read_while_the_model_works_on_several(tmp_path):
    def meet(phase, name):
        if phase == "together" and name == "2" and len(course.taken) < 3:
            read = NAMES[2 * len(course.taken)]
            assert course.began["read", read].wait(PATIENCE), "the next images are not read"

    course = Course(tmp_path, meet, at_once=2)
    assert run_over(course)[1].done == 6
    assert course.taken == [2, 2, 2]


def test_an_image_that_cannot_be_read_is_not_among_those_worked_on_together(tmp_path):
    def fail(phase, name):
        if phase == "read" and name in "bf":
            raise InputError(f"{name} is broken")

    course = Course(tmp_path, fail, at_once=3)
    run, summary = run_over(course)
    assert (summary.done, summary.failed) == (4, 2)
    assert course.taken == [2, 2]
    assert [name for name, status in recorded(run).items() if status == "failed"] == ["b", "f"]


def test_where_several_fail_together_each_is_worked_on_alone(tmp_path):
    def fail(phase, name):
        if phase == "together" and (name == "3" or len(course.taken) == 3):
            raise MemoryError

    course = Course(tmp_path, fail, at_once=3)
    run, summary = run_over(course)
    assert course.taken == [3, 1, 1, 1, 3, 1, 1, 1]
    assert recorded(run) == {"a": "done", "b": "failed"} | dict.fromkeys("cdef", "done")
    assert (summary.done, summary.failed) == (5, 1)


def test_one_image_is_tried_once(tmp_path):
    def fail(phase, name):
        if phase == "together":
            raise MemoryError

    course = Course(tmp_path, fail, at_once=1)
    _, summary = run_over(course)
    assert course.taken == [1] * 6
    assert summary.failed == 6


def test_a_device_that_is_full_for_several_together_ends_the_run(tmp_path):
    def full(phase, name):
        if phase == "together":
            raise DeviceFullError("full")

    run, summary = run_over(Course(tmp_path, full, at_once=3))
    assert summary.stopped == "full"
    assert recorded(run) == {}


def test_a_full_device_ends_a_run_that_works_on_several_together(tmp_path):
    def full(phase, name):
        if phase == "write" and name == "b":
            raise DeviceFullError("full")

    run, summary = run_over(Course(tmp_path, full, at_once=3))
    assert summary.stopped == "full"
    assert recorded(run) == {"a": "done"}
    again, summary = run_over(Course(tmp_path, at_once=3))
    assert (summary.done, summary.skipped) == (5, 1)
    assert set(recorded(again).values()) == {"done"}
