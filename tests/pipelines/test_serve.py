"""Arguments of `deepgadgets serve`."""

import argparse

import pytest

from pipelines.__main__ import main, parser
from pipelines.commands.serve import models


def test_models_to_preload_are_given_together_or_one_by_one():
    given = ["serve", "--preload", "modl=a,varnet=b", "--preload", "there.Method=c.yaml"]
    assert parser().parse_args(given).preload == ["modl=a", "varnet=b", "there.Method=c.yaml"]
    assert parser().parse_args(["serve"]).preload == []


@pytest.mark.parametrize(
    "text, message",
    [
        ("modl", "'modl' is not METHOD=MODEL"),
        ("=a", "'=a' is not METHOD=MODEL"),
        ("modl=", "'modl=' is not METHOD=MODEL"),
        ("modll=a", "no method 'modll'; there are: .*modl"),
    ],
)
def test_what_cannot_be_preloaded_is_refused_at_once(text, message):
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        models(text)


def test_processes_for_one_gadget_each_have_nothing_to_preload(capsys):
    assert main(["serve", "--port", "0", "--isolate", "--preload", "modl=a"]) == 1
    assert "--preload has no use with --isolate" in capsys.readouterr().err
