"""JSON schemas out of TypeScript declarations that a program has made from other schemas; not for any others."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Schema = dict[str, Any]
Fields = dict[str, tuple[bool, str]]
"""Of an interface, by name: whether it is required, and its type."""

_SIMPLE: dict[str, Schema] = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "any": {},
    "Date": {"type": "string"},
}
_BLOCK = r"^export {}(\w+)[^{{]*\{{\n(.*?)^\}}"


def ref(name: str) -> Schema:
    """Return a reference to a definition."""
    return {"$ref": f"#/$defs/{name}"}


class TypeScript:
    """The declarations of a package, by their path; `elsewhere` are types that have a definition of that name."""

    def __init__(self, texts: Mapping[str, str], elsewhere: Mapping[str, str]) -> None:
        self._elsewhere = elsewhere
        self._interfaces: dict[str, Fields] = {}
        self._others: dict[str, str] = {}
        for path, text in texts.items():
            self._read("/".join(path.split("/")[-3:-1]), text)

    def resource(self, api: str, kind: str) -> tuple[Schema, dict[str, Schema]]:
        """Return the schema of a custom resource, and the definitions that it refers to."""
        own = self._whole(self._interfaces.get(f"{api}/I{kind}") or self._interfaces[f"{kind}Props"])
        definitions: dict[str, Schema] = {}
        while left := [name for name in self._needed(own, definitions) if name not in definitions]:
            definitions |= {name: self._whole(self._interfaces[name]) for name in left}
        return own, definitions

    def _read(self, api: str, text: str) -> None:
        """Take the types of a file, by every name they can be meant by; an enumeration is a union."""
        exported = dict(re.findall(r"\b(I?\w+) as (I?\w+)", text))
        # A model has all fields of its interface, those that the interface inherits too.
        for head in ("interface ", r"declare class \w+ extends Model<"):
            for name, body in re.findall(_BLOCK.format(head), text, re.MULTILINE | re.DOTALL):
                fields = dict(_fields(body))
                self._interfaces |= {f"{api}/{name}": fields, exported.get(name, name): fields}
        for name, type_ in re.findall(r"^export type (\w+) = (.*?);$", text, re.MULTILINE | re.DOTALL):
            self._others[exported.get(name, name)] = type_
        for name, body in re.findall(_BLOCK.format("declare enum "), text, re.MULTILINE | re.DOTALL):
            self._others[name] = " | ".join(re.findall(r'= ("[^"]*")', body))

    def _needed(self, own: Schema, definitions: Mapping[str, Schema]) -> set[str]:
        found = re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps([own, *definitions.values()]))
        return self._interfaces.keys() & set(found)

    def _whole(self, fields: Fields) -> Schema:
        return {
            "type": "object",
            "properties": {name: self._of(type_) for name, (_, type_) in fields.items()},
            "required": [name for name, (required, _) in fields.items() if required],
            "additionalProperties": False,
        }

    def _of(self, type_: str) -> Schema:
        if items := re.fullmatch(r"Array<(.*)>|(.*)\[\]", type_, re.DOTALL):
            return {"type": "array", "items": self._of(items[1] or items[2])}
        if values := re.fullmatch(r"\{\s*\[key: string\]: (.*?);?\s*\}", type_, re.DOTALL):
            return {"type": "object", "additionalProperties": self._of(values[1])}
        if " | " in type_:
            return {"anyOf": [self._of(each) for each in type_.split(" | ")]}
        return self._named(type_.strip())

    def _named(self, type_: str) -> Schema:
        if type_.startswith('"'):
            return {"const": json.loads(type_)}
        if type_ in self._others:
            return self._of(self._others[type_])
        if type_ in self._elsewhere:
            return ref(self._elsewhere[type_])
        # What a declaration does not tell, such as "a number or a text" as a class, is let through.
        return ref(type_) if type_ in self._interfaces else _SIMPLE.get(type_, {})


def _fields(body: str) -> Iterator[tuple[str, tuple[bool, str]]]:
    """Yield the fields of an interface. A comment may tell the name that the declaration has changed."""
    pattern = r'(?:@schema \w+#(\S+)\s*\*/\s*)?^    (?:readonly )?"?([\w.$/-]+)"?(\?)?: (\{.*?^    \}|[^\n]*?);$'
    for told, name, optional, type_ in re.findall(pattern, body, re.MULTILINE | re.DOTALL):
        yield told or name, (not optional, type_)
