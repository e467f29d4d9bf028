import pytest

from pipelines.host import parameters
from pipelines.host.config import ConfigError, parse
from tests.support.server import node, pipeline

ALLOW = ["tests.support.gadgets"]
TWO = parse(pipeline(node("tells", gain=3), node("tells_more"), node("passes")), "two")


def apply(values, chain=TWO, trusted=True):
    return parameters.apply(chain, values, allow=ALLOW, trusted=trusted)


def properties(chain):
    return {node.label: dict(node.properties) for node in chain.nodes}


def test_values_become_the_text_of_properties():
    text = '{"version": "1", "parameters": {"a": 1, "b": 0.5, "c": true, "d": "x y", "e": [1, 2], "f": false}}'
    assert parameters.parse(text) == {"a": "1", "b": "0.5", "c": "true", "d": "x y", "e": "1,2", "f": "false"}


@pytest.mark.parametrize("text", ["", "hello", "{", "[]", "3", "{}", '{"parameters": []}', '{"parameters": null}'])
def test_other_texts_carry_none(text):
    assert parameters.parse(text) is None


def test_a_plain_name_sets_it_wherever_it_is_declared():
    changed, ignored = apply({"gain": "7"})
    assert properties(changed) == {"tells": {"gain": "7"}, "tells_more": {"gain": "7"}, "passes": {}}
    assert b'value="7"' in changed.nodes[0].configuration
    assert ignored == []
    assert properties(TWO)["tells"] == {"gain": "3"}


def test_a_full_name_sets_it_in_one_gadget():
    changed, ignored = apply({"tells_more.gain": "7"})
    assert properties(changed) == {"tells": {"gain": "3"}, "tells_more": {"gain": "7"}, "passes": {}}
    assert ignored == []


def test_names_that_no_gadget_has_are_told():
    changed, ignored = apply({"flavour": "sweet", "nobody.gain": "1", "gain": "2"})
    assert ignored == ["flavour", "nobody.gain"]
    assert properties(changed)["tells"] == {"gain": "2"}


@pytest.mark.parametrize("name", ["method", "reconstruct.method", "nobody.method"])
def test_code_from_elsewhere_is_refused(name):
    with pytest.raises(ConfigError, match="method 'os.system' is not allowed from a client"):
        apply({name: "os.system"})


@pytest.mark.parametrize("name", ["folder", "save_png.folder"])
def test_files_are_not_a_clients_to_choose(name):
    saving = parse(pipeline(node("save_png", "gadgets.save_png", folder="there")), "saving")
    with pytest.raises(ConfigError, match="'folder' of save_png is where files are written"):
        apply({name: "elsewhere"}, saving)
    changed, _ = apply({"save_png.window": "1,99"}, saving)
    assert properties(changed)["save_png"] == {"folder": "there", "window": "1,99"}


def test_properties_of_gadgets_that_declare_none_are_those_of_the_pipeline():
    chain = parse(pipeline(node("bare_passes", colour="red")), "bare")
    changed, ignored = apply({"colour": "blue", "size": "3"}, chain)
    assert properties(changed) == {"bare_passes": {"colour": "blue"}}
    assert ignored == ["size"]


def test_a_clients_own_pipeline_stays_within_its_bounds():
    chain = parse(pipeline(node("system", "os")), "theirs")
    with pytest.raises(ConfigError, match="'os' is not allowed"):
        apply({"gain": "1"}, chain, trusted=False)


def test_a_node_that_connects_elsewhere_is_left_alone():
    chain = parse(pipeline('<external><connect address="localhost" port="9"/></external>', node("tells")), "x")
    changed, _ = apply({"gain": "1"}, chain)
    assert properties(changed) == {"connect": {}, "tells": {"gain": "1"}}
