"""Jobs on disk: what is said of them, who may have their images, and for how long."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from gadgets import jobs
from gadgets.fetch import fetch
from gadgets.jobs import Work, find, header_of, images_of, known
from gadgets.reconstruct import reconstruct
from pipelines.__main__ import main
from pipelines.clients.images import read_images
from tests.support.buffers import recon_buffer, recon_data
from tests.support.server import ROOT, environment
from tests.support.streams import header_xml, run

HEADER = header_xml((32, 32, 1))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPGADGETS_JOBS", str(tmp_path / "jobs"))
    return tmp_path / "jobs"


@pytest.fixture(scope="module")
def arrays():
    """Two image arrays of noise."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((2, 1, 1, 1, 4, 1, 32, 32)) + 0j
    return run(reconstruct, [recon_data(recon_buffer(one, np.ones(32, bool))) for one in data], method="rss")


@pytest.fixture
def begun():
    """Begins jobs, of which none is at work when the test has ended."""
    works = []

    def begin(days=7.0):
        works.append(Work(HEADER, "scan 1", "Unn()", days))
        return works[-1]

    yield begin
    for work in works:
        if work.job.state == "running":
            work.discard()


def same(found, expected):
    found, expected = list(found), list(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.data, other.data)
        assert bytes(np.asarray(one.headers)) == bytes(np.asarray(other.headers))


def test_a_job_from_its_beginning_to_its_images(begun, folder, arrays):
    work = begun()
    name = work.job.id
    assert [(job.id, job.state, job.text, job.images) for job in known()] == [(name, "running", "", 0)]
    for images in arrays:
        work.tell("slice 0: 3 of 10 iterations")
        work.add(images)
    assert (find(name).text, find(name).images) == ("slice 0: 3 of 10 iterations", 2)
    with pytest.raises(ValueError, match=f"job {name} is still running: slice 0: 3 of 10"):
        list(images_of(name))
    work.finish()
    job = find(name)
    assert (job.state, job.measurement, job.method, job.images) == ("done", "scan 1", "Unn()", 2)
    assert job.expires - job.created == pytest.approx(7 * 86400)
    assert "done" in str(job) and name in str(job)
    same(images_of(name), arrays)
    assert header_of(name) == HEADER
    # As often as anyone likes, and no longer half a file.
    same(images_of(name), arrays)
    assert sorted(path.name for path in (folder / name).iterdir()) == ["header.xml", "images", "lock", "status.json"]


def test_a_job_that_failed_says_why_and_has_no_images(begun, folder, arrays):
    work = begun()
    work.add(arrays[0])
    work.fail("out of memory")
    with pytest.raises(ValueError, match=f"job {work.job.id} has failed: out of memory"):
        list(images_of(work.job.id))
    assert not list((folder / work.job.id).glob("images*"))


def test_a_job_whose_process_has_ended_has_failed():
    script = "import os, signal; from gadgets.jobs import Work; w = Work(b'', 'scan 2', '', 7); w.tell('half'); print(w.job.id, flush=True); os.kill(os.getpid(), 9)"  # noqa: E501
    ended = subprocess.run([sys.executable, "-c", script], env=environment(), cwd=ROOT, capture_output=True, text=True)
    (job,) = known()
    assert job.id == ended.stdout.strip() and ended.returncode == -9
    assert (job.state, job.text) == ("failed", "the process that was at work on it has ended")
    with pytest.raises(ValueError, match="has failed: the process"):
        list(images_of(job.id))


def test_jobs_are_removed_when_they_expire_but_for_those_that_run(begun, folder, monkeypatch):
    old, failed, running, young = begun(), begun(), begun(), begun(days=30)
    old.finish()
    failed.fail("why")
    young.finish()
    later = time.time() + 8 * 86400
    monkeypatch.setattr(jobs.time, "time", lambda: later)
    assert {job.id for job in known()} == {running.job.id, young.job.id}
    assert {path.name for path in folder.iterdir()} == {running.job.id, young.job.id}
    with pytest.raises(ValueError, match="has expired, or never was"):
        find(old.job.id)
    # Beginning another looks, too.
    running.finish()
    another = begun()
    assert not (folder / running.job.id).exists() and (folder / another.job.id).exists()


def test_what_is_no_job_is_left_out_and_removed_in_time(begun, folder):
    work = begun()
    (folder / "half").mkdir()
    (folder / "half" / "status.json").write_text("{")
    (folder / "file").write_text("")
    assert [job.id for job in known()] == [work.job.id]
    assert (folder / "half").exists()
    os.utime(folder / "half", (0, 0))
    known()
    assert not (folder / "half").exists() and (folder / "file").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "../jobs", "/etc", "20261121-120000-00", "a b"])
def test_an_id_names_no_other_file(begun, name, folder):
    begun().finish()
    with pytest.raises(ValueError, match="there is no job"):
        find(name)


def test_ids_are_not_to_be_guessed(begun):
    names = {begun().job.id for _ in range(20)}
    assert len({name.rpartition("-")[2] for name in names}) == 20


def test_a_discarded_job_is_gone():
    Work(HEADER, "scan 1", "Unn()", 7).discard()
    assert known() == []


def test_fetch_sends_what_was_kept_and_passes_the_rest(begun, arrays):
    work = begun()
    work.add(arrays[0])
    work.finish()
    found = run(fetch, arrays[1:], id=work.job.id)
    same(found, arrays)


# -- the command


def test_the_command_lists_and_fetches(begun, arrays, tmp_path, capsys):
    assert main(["fetch"]) == 0 and capsys.readouterr().out == ""
    done, failed = begun(), begun()
    for images in arrays:
        done.add(images)
    done.finish()
    failed.fail("out of memory")
    assert main(["fetch"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == 2 and any("failed: out of memory" in line for line in listed)
    assert main(["fetch", done.job.id, "-o", str(tmp_path / "out.h5")]) == 0
    assert "2 images in" in capsys.readouterr().out
    (images,) = read_images(tmp_path / "out.h5").values()
    for image, array in zip(images, arrays, strict=True):
        # Scaled to integers, whose last place is half a unit of up to some thousand.
        expected = abs(array.data[..., 0, 0, 0].T)
        factor = float(image.meta["RescaleSlope"])
        assert abs(image.data * factor - expected).max() <= factor


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["nonsense", "-o", "out.h5"], "there is no job 'nonsense'"),
        (["20261121-120000-00"], "-o OUT.h5 says where"),
        (["--from", "localhost:1"], "does not say which jobs it has"),
        (["20261121-120000-00", "-o", "out.h5", "--from", "localhost"], "--from takes HOST:PORT"),
    ],
)
def test_what_the_command_refuses(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fetch", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out.h5").exists()
