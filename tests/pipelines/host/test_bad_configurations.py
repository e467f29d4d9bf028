"""Pipelines and headers that cannot be used: the client is told why, and the next scan is served."""

import pytest

from gadgets.stream.control import Close, Config, Filename, Header
from tests.support.server import node, pipeline
from tests.support.small_scan import small_scan
from tests.support.streams import header_xml

HEADER = Header(header_xml())
GADGETS = "tests.support.gadgets"
READER = "<readers><reader><dll>d</dll><classname>SpectroscopyReader</classname></reader></readers>"
PARALLEL = "<parallel><branch><dll>d</dll><classname>Branch</classname></branch></parallel>"
CONNECT = '<external><connect address="localhost" port="9"/></external>'
BILLION = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>'
EXTERNAL = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>'

CONFIGURATIONS = {
    "no XML": (b"<configuration><version>2", ["the client's configuration, line 1", "column"]),
    "two roots": (b"<configuration/><configuration/>", ["line 1", "junk after document element"]),
    "no version": (b"<configuration><stream/></configuration>", ["line 1", "needs a <version>"]),
    "version 3": (b"<configuration><version>3</version><stream/></configuration>", ["unknown version '3'", "known: 2"]),
    "another root": (b"<html/>", ["unknown root element <html>"]),
    "forbidden module": (pipeline(node("system", "os")), ["'os' is not allowed", "gadget system", GADGETS]),
    "forbidden part of ours": (pipeline(node("x", "gadgets.stream.codec")), ["'gadgets.stream.codec' is not allowed"]),
    "missing module": (pipeline(node("x", f"{GADGETS}.nothing")), ["no module named", "nothing", "gadget x"]),
    "missing gadget": (
        pipeline(node("noise_adjusts", "gadgets.noise_adjusts")),
        ["no module named 'gadgets.noise_adjusts'", "did you mean 'noise_adjust'"],
    ),
    "missing target": (pipeline(node("raises_at_last")), ["has no 'raises_at_last'", "did you mean 'raises_at_first'"]),
    "nothing to call": (pipeline(node("NOT_CALLABLE")), ["gadget NOT_CALLABLE", "not allowed"]),
    "unknown property": (
        pipeline(node("tells", size=3)),
        ["gadget tells", "unknown property 'size'", "known: gain, name, on, sizes"],
    ),
    "bad value": (pipeline(node("tells", gain="high")), ["gadget tells", "'gain' is 'high', expected a number"]),
    "unknown class": (
        pipeline("<gadget><dll>d</dll><classname>NoiseAdjustsGadget</classname></gadget>"),
        ["no gadget for the class 'NoiseAdjustsGadget'", "did you mean 'noise_adjust'"],
    ),
    "unknown reader": (pipeline(head=READER), ["unknown reader 'SpectroscopyReader'", "AcquisitionReader"]),
    "unknown element": (pipeline("<gadgett/>"), ["unknown element <gadgett> in <stream>"]),
    "parallel": (pipeline(PARALLEL), ["<parallel> is not available"]),
    "another language": (
        pipeline('<external><execute name="a" target="b" type="matlab"/></external>'),
        ["'matlab' are not available; known: python"],
    ),
    "a connection to elsewhere": (pipeline(CONNECT), ["may not connect to other servers"]),
    "a gadget that writes files": (
        pipeline(node("save_png", "gadgets.save_png", folder="there")),
        ["save_png writes files", "not allowed from a client"],
    ),
    "another that writes files": (
        pipeline(node("save_ismrmrd", "gadgets.save_ismrmrd", path="there.h5")),
        ["save_ismrmrd writes files", "not allowed from a client"],
    ),
    "a method from elsewhere": (
        pipeline(node("reconstruct", "gadgets.reconstruct", method="os.system")),
        ["method 'os.system' is not allowed"],
    ),
    "failing at import": (
        pipeline(node("run", f"{GADGETS}.raises_at_import")),
        ["gadget run", f"importing {GADGETS}.raises_at_import raised OSError: broken at import"],
    ),
    "leaving at import": (
        pipeline(node("run", f"{GADGETS}.exits_at_import")),
        ["gadget run", "SystemExit: gone at import"],
    ),
    "needing what is not there": (
        pipeline(node("run", f"{GADGETS}.needs_a_missing_module")),
        ["gadget run", "No module named 'a_module_that_is_nowhere'"],
    ),
    "entities": (BILLION + pipeline(), ["document type declaration", "not allowed"]),
    "a file": (EXTERNAL + pipeline(), ["document type declaration", "not allowed"]),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_bad_configuration(server, name):
    xml, words = CONFIGURATIONS[name]
    scan = small_scan()
    reply = server.ask(Config(xml), HEADER, *scan.lines, Close())
    reply.assert_failed(*words)
    assert reply.seconds < 3


NAMES = {
    "unknown": ("nothing_of_the_kind.xml", ["no pipeline 'nothing_of_the_kind.xml'", "there are", "default"]),
    "nearly right": ("defualt", ["did you mean 'default'"]),
    "empty": ("", ["no pipeline ''"]),
    "above the folder": ("../../setup", ["is not a name but a path"]),
    "from the root": ("/etc/passwd", ["is not a name but a path"]),
    "of Windows": ("..\\default.xml", ["is not a name but a path"]),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_configuration_name(server, name):
    wanted, words = NAMES[name]
    reply = server.ask(Filename(wanted), HEADER, Close())
    reply.assert_failed(*words)
    assert reply.seconds < 3


def test_a_name_that_is_no_text(server):
    server.ask(b"\x01\x00" + b"\xff\xfe".ljust(1024, b"\0")).assert_failed("configuration name is not UTF-8")


def test_the_environment_names_a_pipeline_and_keeps_its_secrets(server):
    scan = small_scan()
    reply = server.ask(*scan.session("NAME_OF_DEFAULT"))
    assert len(reply.images) == 1 and reply.errors == []
    reply = server.ask(*scan.session("SECRET"))
    reply.assert_failed("configuration 'SECRET' stands for one that is not there")
    assert not any("no-client-must-see" in text for text in reply.texts)


HEADERS = {
    "no XML": (b"this is no header", ["ISMRMRD header", "syntax error"]),
    "cut off": (header_xml()[:200], ["ISMRMRD header"]),
    "empty": (b"", ["ISMRMRD header"]),
    "another document": (b"<html/>", ["ISMRMRD header cannot be read"]),
    "a number that is none": (
        header_xml().replace(b"<x>16</x>", b"<x>sixteen</x>", 1),
        ["[bucket_to_buffer]", "'sixteen'"],
    ),
    "entities": (BILLION + header_xml().partition(b"?>")[2], ["ISMRMRD header", "document type declaration"]),
    "a file": (EXTERNAL + header_xml().partition(b"?>")[2], ["ISMRMRD header", "document type declaration"]),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_bad_header(server, name):
    xml, words = HEADERS[name]
    reply = server.ask(Filename("default"), Header(xml), *small_scan().lines, Close())
    reply.assert_failed(*words)
    assert reply.seconds < 3


def test_data_without_a_header(server):
    reply = server.ask(Filename("default"), *small_scan().lines, Close())
    reply.assert_failed("ACQUISITION (1008)", "before a header")


def test_data_or_a_header_without_a_configuration(server):
    server.ask(*small_scan().lines).assert_failed("ACQUISITION (1008)", "before a configuration")
    server.ask(HEADER, Close()).assert_failed("HEADER (3)", "before a configuration")


@pytest.mark.parametrize("second", [Filename("default"), Config(pipeline())], ids=["name", "XML"])
def test_a_second_configuration(server, second):
    server.ask(Filename("default"), second, Close()).assert_failed("second configuration")
    server.ask(Filename("default"), HEADER, second, Close()).assert_failed("second configuration")
    lines = small_scan().lines
    server.ask(Filename("default"), HEADER, *lines, second, Close()).assert_failed("second configuration")


def test_a_second_header(server):
    server.ask(Filename("default"), HEADER, HEADER, Close()).assert_failed("second header")
    server.ask(Filename("default"), HEADER, *small_scan().lines, HEADER, Close()).assert_failed("second header")
