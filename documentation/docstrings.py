"""The extension of griffe that reads docstrings and annotations as this repository writes them.

`Annotated[float, Gt(0), Doc("The radius.")]` is shown as `float` in the signature, and beside the parameter
as "The radius. Must be > 0."
"""

import ast
from typing import Any

from griffe import (
    Alias,
    Class,
    Docstring,
    Expr,
    ExprBinOp,
    ExprCall,
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

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        self.linked = reference.linked()
        self._visit(pkg)

    def _visit(self, obj: Object | Alias) -> None:
        if isinstance(obj, Alias):
            return
        if isinstance(obj, Function):
            self._describe(obj, _signature(obj))
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
        notes = {name: _note(a) for name, a in fields.items() if not name.startswith("_")}
        if isinstance(maker, Function):
            own = _signature(maker)
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


def _is_dataclass(obj: Class) -> bool:
    return any(str(d.value).startswith(("dataclass", "dataclasses.dataclass")) for d in obj.decorators)


def _signature(function: Function) -> dict[str, str]:
    """What each parameter's annotation says, by its name with its stars; annotations lose their metadata."""
    stars = {ParameterKind.var_positional: "*", ParameterKind.var_keyword: "**"}
    notes = {}
    for parameter in function.parameters:
        if parameter.kind in stars:
            parameter.default = None  # () and {}, which nobody passes
        if parameter.name not in ("self", "cls"):
            notes[stars.get(parameter.kind, "") + parameter.name] = _note(parameter)
    return notes


def _note(owner: Any) -> str:
    words: list[str] = []
    owner.annotation = _plain(owner.annotation, words)
    return " ".join(words)


def _plain(annotation: Any, words: list[str]) -> Any:
    """The annotation without metadata, whose text is added to `words`."""
    if isinstance(annotation, ExprSubscript) and str(annotation.left).rpartition(".")[2] == "Annotated":
        assert isinstance(annotation.slice, ExprTuple)
        first, *metadata = annotation.slice.elements
        words += _said(metadata)
        return _plain(first, words)
    if isinstance(annotation, ExprBinOp):
        annotation.left, annotation.right = _plain(annotation.left, words), _plain(annotation.right, words)
    elif isinstance(annotation, ExprSubscript):
        annotation.slice = _plain(annotation.slice, words)
    elif isinstance(annotation, ExprTuple):
        annotation.elements = [_plain(e, words) for e in annotation.elements]
    return annotation


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
