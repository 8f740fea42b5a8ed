"""The extension of griffe that reads docstrings and annotations as this repository writes them.

`Annotated[float, Gt(0), Doc("The radius.")]` is shown as `float` in the signature, and beside the parameter
as "The radius. Must be > 0."
"""

import ast
from typing import Any

from griffe import (
    Alias,
    Attribute,
    Class,
    Docstring,
    Expr,
    ExprBinOp,
    ExprCall,
    ExprName,
    ExprSubscript,
    ExprTuple,
    Extension,
    Function,
    Module,
    Object,
    ParameterKind,
)

from documentation import reference
from documentation.prose import sections

BOUNDS = {"Gt": ">", "Ge": "≥", "Lt": "<", "Le": "≤"}


class Docstrings(Extension):
    """Docstrings with sections, signatures without metadata."""

    def __init__(self) -> None:
        self.linked = reference.linked()
        self.aliases: dict[str, list[str]] = {}
        """What is said of annotations that have a name, by its path."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        self._find_aliases(pkg)
        self._visit(pkg)

    def _find_aliases(self, module: Module) -> None:
        for member in module.members.values():
            if isinstance(member, Module):
                self._find_aliases(member)
            elif isinstance(member, Attribute) and isinstance(member.value, ExprSubscript):
                words: list[str] = []
                self._plain(member.value, words)
                self.aliases[member.path] = words

    def _visit(self, obj: Object | Alias) -> None:
        if isinstance(obj, Alias):
            return
        if isinstance(obj, Function):
            self._describe(obj, self._signature(obj))
        elif isinstance(obj, Class):
            self._class(obj)
        else:
            self._describe(obj, {})
        for member in obj.members.values():
            self._visit(member)

    def _class(self, obj: Class) -> None:
        """The class says what its constructor's parameters are, or, without a constructor, its fields."""
        maker, dataclass = obj.members.get("__init__"), _is_dataclass(obj)
        if not dataclass:  # whose fields come from its bases too
            obj.bases = [base for base in obj.bases if not str(base).rpartition(".")[2].startswith("_")]
        fields = {
            name: a
            for name, a in obj.attributes.items()
            if isinstance(a, Object) and a.annotation is not None
        }
        notes = {name: self._note(a) for name, a in fields.items() if not name.startswith("_")}
        if isinstance(maker, Function):
            own = self._signature(maker)
            notes = {name: "" for name in notes | dict.fromkeys(obj.attributes) if name not in own}
            self._describe(obj, own, list(notes))
        elif dataclass:
            self._describe(obj, notes, [name for name in obj.attributes if name not in notes])
        else:
            self._describe(obj, {}, list(obj.attributes), notes)

    def _describe(
        self,
        obj: Object,
        notes: dict[str, str],
        attributes: list[str] | None = None,
        of_attributes: dict[str, str] | None = None,
    ) -> None:
        """notes: of the parameters, by name; of_attributes: of the attributes."""
        every = {**(of_attributes or {}), **notes}
        said = {name.lstrip("*"): note for name, note in every.items() if note}
        if obj.docstring is None and not said:
            return
        text = obj.docstring.value if obj.docstring is not None else ""
        value = sections(text, list(notes), attributes or [], said, self.linked)
        if obj.docstring is None:
            obj.docstring = Docstring(value, parent=obj)
        obj.docstring.value = value

    def _signature(self, function: Function) -> dict[str, str]:
        """What each parameter's annotation says, by its name with its stars; metadata are taken off."""
        stars = {ParameterKind.var_positional: "*", ParameterKind.var_keyword: "**"}
        notes = {}
        for parameter in function.parameters:
            if parameter.kind in stars:
                parameter.default = None  # () and {}, which nobody passes
            if parameter.name not in ("self", "cls"):
                notes[stars.get(parameter.kind, "") + parameter.name] = self._note(parameter)
        return notes

    def _note(self, owner: Any) -> str:
        words: list[str] = []
        owner.annotation = self._plain(owner.annotation, words)
        return " ".join(words)

    def _plain(self, annotation: Any, words: list[str]) -> Any:
        """The annotation without metadata, whose text is added to `words`."""
        if isinstance(annotation, ExprSubscript) and str(annotation.left).rpartition(".")[2] == "Annotated":
            assert isinstance(annotation.slice, ExprTuple)
            first, *metadata = annotation.slice.elements
            words += _said(metadata)
            return self._plain(first, words)
        if isinstance(annotation, ExprName):
            words += self.aliases.get(annotation.canonical_path, [])
        if isinstance(annotation, ExprBinOp):
            annotation.left, annotation.right = (
                self._plain(annotation.left, words),
                self._plain(annotation.right, words),
            )
        elif isinstance(annotation, ExprSubscript):
            annotation.slice = self._plain(annotation.slice, words)
        elif isinstance(annotation, ExprTuple):
            annotation.elements = [self._plain(e, words) for e in annotation.elements]
        return annotation


def _is_dataclass(obj: Class) -> bool:
    return any(str(d.value).startswith(("dataclass", "dataclasses.dataclass")) for d in obj.decorators)


def _said(metadata: list[str | Expr]) -> list[str]:
    calls = [(str(m.function).rpartition(".")[2], m.arguments) for m in metadata if isinstance(m, ExprCall)]
    texts = [_text(arguments[0]) for name, arguments in calls if name == "Doc"]
    bounds = [f"{BOUNDS[name]} {arguments[0]}" for name, arguments in calls if name in BOUNDS]
    return [*texts, *([f"Must be {' and '.join(bounds)}."] if bounds else [])]


def _text(argument: str | Expr) -> str:
    try:
        return " ".join(str(ast.literal_eval(str(argument))).split())
    except (ValueError, SyntaxError):
        return ""
