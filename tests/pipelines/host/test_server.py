"""The server as a whole: how it begins and ends, and what it says in the states of a session."""

import json
import signal
import socket
import subprocess
import time

import pytest
from ismrmrd import Image

from gadgets.stream.control import Close, Config, Filename, Header, Query, Response, Text
from tests.support.server import Held, command, environment, node, pipeline, runs, serving, wait_until
from tests.support.small_scan import small_scan


def test_sigterm_lets_the_running_scan_finish(tmp_path):
    """Those that wait are told; the exit status is 0, and nothing stays behind."""
    scan = small_scan()
    with serving(tmp_path, "--max-waiting", "1") as server:
        with server.client(60.0) as running, server.client(60.0) as waiting:
            running.send(*scan.session()[:6])
            server.wait_for_log("listening")
            wait_until(lambda: Held.by(server.process.pid).threads > 1)
            waiting.send(*scan.session())
            assert "1 before this scan" in waiting.next().text
            server.ask(*scan.session()).assert_failed("1 scans are waiting already; no more are accepted")
            workers = server.workers
            server.process.send_signal(signal.SIGTERM)
            waiting.read().assert_failed("the server is shutting down")
            with pytest.raises(OSError):
                socket.create_connection(("127.0.0.1", server.port), timeout=5.0).close()
            running.send(*scan.session()[6:])
            reply = running.read()
        assert (len(reply.images), reply.errors, reply.closed) == (1, [], True)
        assert server.process.wait(20.0) == 0
    assert len(workers) == 1
    wait_until(lambda: not runs(workers[0]), 10.0)


def test_an_interrupt_ends_an_idle_server(tmp_path):
    with serving(tmp_path) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20.0) == 0
        assert "Traceback" not in server.log


def test_workers_end_with_a_server_that_is_killed(tmp_path):
    scan = small_scan()
    with serving(tmp_path, "--workers", "2") as server, server.client(60.0) as client:
        assert len(server.ask(*scan.session(), timeout=60.0).images) == 1
        client.send(*scan.session()[:6])
        server.wait_for_log("default.xml: 16 acquisitions")
        workers = server.workers
        assert len(workers) == 2
        time.sleep(0.2)
        server.process.kill()
        wait_until(lambda: not any(runs(pid) for pid in workers), 10.0)


def test_it_listens_before_its_workers_are_ready(tmp_path):
    started = time.monotonic()
    with serving(tmp_path, "--workers", "2") as server:
        with server.client():
            assert time.monotonic() - started < 2.0
        assert len(server.workers) == 2


def test_workers_serve_side_by_side(tmp_path):
    scan = small_scan()
    with serving(tmp_path, "--workers", "2") as server, server.client(60.0) as one, server.client(60.0) as other:
        one.send(*scan.session()[:-1])
        other.send(*scan.session())
        reply = other.read()
        assert (len(reply.images), reply.texts) == (1, [])
        one.send(Close())
        assert len(one.read().images) == 1


def test_a_port_that_is_taken(server):
    arguments = [str(server.port) if argument == "0" else argument for argument in command()]
    second = subprocess.run(arguments, env=environment(), capture_output=True, text=True, timeout=30)
    assert (second.returncode, second.stdout) == (1, "")
    (line,) = second.stderr.splitlines()
    assert "Address already in use" in line and str(server.port) in line


def test_only_this_machine_is_served(server):
    """Loopback, unless it is told otherwise."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: this tells which address the machine has outside.
        probe.connect(("192.0.2.1", 9))
        outside = probe.getsockname()[0]
    with pytest.raises(OSError):
        socket.create_connection((outside, server.port), timeout=5.0).close()


def test_a_question_in_every_state(server):
    scan = small_scan()
    with server.client(5.0) as client:
        for n, item in enumerate(scan.session()):
            client.send(Query(n, "gadgetron::info::python"))
            answer = client.next()
            while not isinstance(answer, Response):
                assert isinstance(answer, Image) and n > len(scan.lines), answer
                answer = client.next()
            assert answer == Response(n, "YES")
            client.send(item)
        assert client.read().closed


def test_questions_alone(server):
    reply = server.ask(Query(7, "gadgetron::version"), Query(2**63, "what::ever"), Close())
    first, second, last = reply.items
    assert (first.correlation_id, bool(first.text)) == (7, True)
    assert second == Response(2**63, "Unknown query")
    assert isinstance(last, Close)


def test_a_question_with_its_reserved_field_set(server):
    bad = bytearray(b"\x06\x00" + bytes(24))
    bad[2] = 1
    server.ask(bytes(bad)).assert_failed("QUERY (6) at byte 0", "reserved field 1")


def test_close_at_once(server):
    assert server.ask(Close()).items == [Close()]


@pytest.mark.parametrize("name", ["default", "cartesian_rss", "cartesian_sense", "measurement_dependencies"])
def test_a_session_without_a_header(server, name):
    """Runs on an empty scan, and ends with CLOSE."""
    reply = server.ask(Filename(name), Close())
    assert (reply.errors, reply.images, reply.closed) == ([], [], True)


def test_a_scan_without_data(server):
    reply = server.ask(Filename("default"), Header(small_scan().header), Close())
    assert (reply.errors, reply.images, reply.closed) == ([], [], True)
    assert any("sent nothing for 0 acquisitions" in text for text in reply.texts)


def test_the_names_of_a_pipeline(server):
    """With its ending and without, with NULs as FIRE sends them, and as text in place of XML."""
    scan = small_scan()
    fire = [
        b"\x01\x00" + b"default.xml".ljust(1024, b"\0"),
        b"\x02\x00" + (8).to_bytes(4, "little") + b"default\0",
        Config(pipeline() + b"\0"),
        Config(b"default"),
        Filename("default"),
        Filename("default_measurement_dependencies"),
    ]
    for name in fire:
        reply = server.ask(name, Header(scan.header + b"\0"), *scan.lines, Close())
        assert (reply.errors, reply.closed) == ([], True)


def test_texts_of_the_client_are_logged(server):
    scan = small_scan()
    configuration, header, *rest = scan.session()
    words = [f"hello number {i}\0" for i in range(3)]
    sent = [Text(words[0]), configuration, Text(words[1]), header, rest[0], Text(words[2]), *rest[1:]]
    assert len(server.ask(*sent).images) == 1
    for word in words:
        server.wait_for_log(f"client: {word[:-1]}")


def fire(**parameters):
    return Text(json.dumps({"version": "1.0", "parameters": parameters}))


TELLING = [Config(pipeline(node("tells_more"), node("tells", name="somebody"))), Header(small_scan().header)]


def test_parameters_set_properties(server):
    reply = server.ask(*TELLING, fire(gain=2.5, on=True, sizes=[3, 4]), *small_scan().lines, Close())
    assert "gain 2.5 name somebody on True sizes (3, 4) acquisitions 16" in reply.texts
    assert (reply.errors, reply.closed) == ([], True)


def test_parameters_of_one_gadget(server):
    reply = server.ask(*TELLING, fire(**{"tells_more.gain": 4, "tells.name": "she"}), fire(gain=1.5), Close())
    assert "gain 1.5 name she on False sizes () acquisitions 0" in reply.texts
    reply = server.ask(*TELLING, fire(**{"tells.gain": 4}), Close())
    assert any(text.startswith("gain 4.0") for text in reply.texts)


def test_parameters_that_nobody_has(server):
    reply = server.ask(*TELLING, fire(gain=2, flavour="sweet", **{"nobody.gain": 3}), Close())
    assert any(text.startswith("gain 2.0") for text in reply.texts)
    (warning,) = [text for text in reply.texts if text.startswith("WARNING ")]
    assert "flavour" in warning and "nobody.gain" in warning


FORBIDDEN = {
    "a bad value": (fire(gain="loud"), "'gain' is 'loud', expected a number"),
    "code from elsewhere": (fire(method="os.system"), "method 'os.system' is not allowed"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_parameters_that_are_refused(server, name):
    text, words = FORBIDDEN[name]
    server.ask(*TELLING, text, *small_scan().lines, Close()).assert_failed(words)


def test_a_client_chooses_no_file_of_a_pipeline_of_the_server(server, pipelines_folder, tmp_path):
    xml = pipeline(node("save_png", "gadgets.save_png", folder=tmp_path / "ours"))
    (pipelines_folder / "saving.xml").write_bytes(xml)
    scan = small_scan()
    opening = [Filename("saving"), Header(scan.header)]
    reply = server.ask(*opening, fire(**{"save_png.folder": str(tmp_path / "theirs")}), Close())
    reply.assert_failed("'folder' of save_png is where files are written")
    assert server.ask(*opening, Close()).errors == []
    assert [file.name for file in tmp_path.iterdir()] == ["ours"]


def test_other_texts_after_the_header_are_no_parameters(server):
    for text in ("{}", "[1, 2]", '{"parameters": 3}', "hello"):
        reply = server.ask(*TELLING, Text(text), Close())
        assert any(text.startswith("gain 1.0") for text in reply.texts)
        assert reply.errors == []


def test_a_connection_to_a_port_where_nobody_listens(server, pipelines_folder):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (pipelines_folder / "elsewhere.xml").write_bytes(
        pipeline(f'<external><connect address="127.0.0.1" port="{port}"/></external>')
    )
    reply = server.ask(*small_scan().session("elsewhere"))
    reply.assert_failed("[connect]", f"nothing answers at 127.0.0.1:{port}", "Connection refused")
    assert reply.seconds < 8


def test_what_a_pipeline_has_no_writer_for_does_not_leave_it(server):
    scan = small_scan()
    writer = "<writers><writer><dll>d</dll><classname>ImageWriter</classname></writer></writers>"
    reply = server.ask(Config(pipeline(node("passes"), head=writer)), Header(scan.header), *scan.lines, Close())
    assert [type(item) for item in reply.items] == [Text, Close]
    assert "sent nothing for 16 acquisitions" in reply.texts[0]
