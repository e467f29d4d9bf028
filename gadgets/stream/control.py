"""Messages that steer a session: file name, configuration, header, close, text, query, response, error (1 to 8)."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ProtocolError
from .ids import MessageId
from .limits import Limits
from .primitives import U16, U32, U64, Buffer, Reader, put_string, string, text, unsigned

FILENAME_BYTES = 1024


@dataclass(frozen=True)
class Filename:
    """Name of a configuration that the server has (message 1, NUL-padded to 1024 bytes)."""

    name: str


@dataclass(frozen=True)
class Config:
    """Configuration XML (message 2)."""

    xml: bytes


@dataclass(frozen=True)
class Header:
    """ISMRMRD header XML (message 3)."""

    xml: bytes


@dataclass(frozen=True)
class Close:
    """End of the peer's messages (message 4)."""


@dataclass(frozen=True)
class Text:
    """A line for people, errors above all (message 5)."""

    text: str


@dataclass(frozen=True)
class Query:
    """A question to the server (message 6)."""

    correlation_id: int
    text: str


@dataclass(frozen=True)
class Response:
    """The answer to a query (message 7)."""

    correlation_id: int
    text: str


@dataclass(frozen=True)
class Error:
    """An external peer's report that it failed (message 8)."""

    text: str


def read_filename(limits: Limits) -> Reader[Filename]:
    raw = (yield FILENAME_BYTES).tobytes()
    return Filename(text(raw.split(b"\0", 1)[0], "configuration name"))


def read_config(limits: Limits) -> Reader[Config]:
    return Config((yield from string(4, limits, "configuration")).rstrip(b"\0"))


def read_header(limits: Limits) -> Reader[Header]:
    return Header((yield from string(4, limits, "header")).rstrip(b"\0"))


def read_close(limits: Limits) -> Reader[Close]:
    yield from ()
    return Close()


def read_text(limits: Limits) -> Reader[Text]:
    raw = yield from string(4, limits, "text")
    return Text(raw.rstrip(b"\0").decode("utf-8", "replace"))


def read_query(limits: Limits) -> Reader[Query]:
    reserved = yield from unsigned(8)
    correlation_id = yield from unsigned(8)
    question = text((yield from string(8, limits, "query")), "query")
    if reserved:
        raise ProtocolError(f"query with reserved field {reserved}; it must be 0")
    return Query(correlation_id, question)


def read_response(limits: Limits) -> Reader[Response]:
    correlation_id = yield from unsigned(8)
    raw = yield from string(8, limits, "response")
    return Response(correlation_id, raw.decode("utf-8", "replace"))


def read_error(limits: Limits) -> Reader[Error]:
    raw = yield from string(8, limits, "error")
    return Error(raw.rstrip(b"\0").decode("utf-8", "replace"))


def write_filename(item: Filename) -> list[Buffer]:
    name = item.name.encode()
    if len(name) >= FILENAME_BYTES:
        raise ValueError(f"configuration name of {len(name)} bytes; at most {FILENAME_BYTES - 1} fit")
    return [U16.pack(MessageId.FILENAME), name.ljust(FILENAME_BYTES, b"\0")]


def write_config(item: Config) -> list[Buffer]:
    return [U16.pack(MessageId.CONFIG), *put_string(item.xml, U32)]


def write_header(item: Header) -> list[Buffer]:
    return [U16.pack(MessageId.HEADER), *put_string(item.xml, U32)]


def write_close(item: Close) -> list[Buffer]:
    return [U16.pack(MessageId.CLOSE)]


def write_text(item: Text) -> list[Buffer]:
    return [U16.pack(MessageId.TEXT), *put_string(item.text.encode(), U32)]


def write_query(item: Query) -> list[Buffer]:
    return [U16.pack(MessageId.QUERY), U64.pack(0), U64.pack(item.correlation_id), *put_string(item.text.encode())]


def write_response(item: Response) -> list[Buffer]:
    return [U16.pack(MessageId.RESPONSE), U64.pack(item.correlation_id), *put_string(item.text.encode())]


def write_error(item: Error) -> list[Buffer]:
    return [U16.pack(MessageId.ERROR), *put_string(item.text.encode())]
