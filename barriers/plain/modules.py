"""torch.nn, as far as regions and descriptions need it: modules with buffers and parts; no layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from barriers.plain import functional as functional
from barriers.plain.needs import needing
from barriers.plain.tensor import Tensor


class Module:
    """Buffers and other modules by name."""

    training = True

    def __init__(self, *given: Any, **named: Any) -> None:
        vars(self).setdefault("_buffers", {})
        vars(self).setdefault("_modules", {})

    def __setattr__(self, name: str, value: Any) -> None:
        own = vars(self)
        if isinstance(value, Module):
            if "_modules" not in own:
                raise AttributeError("cannot assign module before Module.__init__() call")
            own["_modules"][name] = value
        elif name in own.get("_buffers", ()):
            own["_buffers"][name] = value
        elif name in own.get("_modules", ()):
            del own["_modules"][name]
        object.__setattr__(self, name, value)

    def forward(self, *given: Any, **named: Any) -> Any:
        raise needing(type(self).__name__)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        vars(self).setdefault("_buffers", {})[name] = tensor
        object.__setattr__(self, name, tensor)

    def register_parameter(self, name: str, value: Any) -> None:
        raise needing("a parameter")

    def add_module(self, name: str, module: Module | None) -> None:
        vars(self)["_modules"][name] = module
        object.__setattr__(self, name, module)

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self.forward(*given, **named)

    def children(self) -> Iterator[Module]:
        return (part for part in vars(self)["_modules"].values() if part is not None)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        return ((name, part) for name, part in vars(self)["_modules"].items() if part is not None)

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def named_modules(self, memo: set[int] | None = None, prefix: str = "") -> Iterator[tuple[str, Module]]:
        seen: set[int] = set() if memo is None else memo
        if id(self) not in seen:
            seen.add(id(self))
            yield prefix, self
            for name, part in self.named_children():
                yield from part.named_modules(seen, f"{prefix}.{name}" if prefix else name)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        for module in self.modules() if recurse else (self,):
            yield from (b for b in vars(module)["_buffers"].values() if b is not None)

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        for prefix, module in self.named_modules():
            for name, buffer in vars(module)["_buffers"].items():
                if buffer is not None:
                    yield f"{prefix}.{name}" if prefix else name, buffer

    def parameters(self, recurse: bool = True) -> Iterator[Any]:
        return iter(())

    def named_parameters(self) -> Iterator[Any]:
        return iter(())

    def state_dict(self) -> dict[str, Tensor]:
        return dict(self.named_buffers())

    def apply(self, f: Callable[[Module], None]) -> Module:
        for module in list(self.modules()):
            f(module)
        return self

    def requires_grad_(self, wanted: bool = True) -> Module:
        return self

    def eval(self) -> Module:
        return self.train(False)

    def train(self, mode: bool = True) -> Module:
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def to(self, *given: Any, **named: Any) -> Module:
        for module in self.modules():
            for name, buffer in vars(module)["_buffers"].items():
                if buffer is not None and buffer.is_floating_point():
                    module.register_buffer(name, buffer.to(*given, **named))
        return self

    def double(self) -> Module:
        from barriers.plain.kinds import float64

        return self.to(float64)

    def float(self) -> Module:
        from barriers.plain.kinds import float32

        return self.to(float32)

    def cpu(self) -> Module:
        return self


class ModuleList(Module):
    """Modules in order."""

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        self.add_module(str(len(self)), module)
        return self

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __len__(self) -> int:
        return len(vars(self)["_modules"])

    def __getitem__(self, index: Any) -> Any:
        found = list(self.children())[index]
        return type(self)(found) if isinstance(index, slice) else found


class Layer(Module):
    """A layer of a network: named, and never made without torch."""

    def __init__(self, *given: Any, **named: Any) -> None:
        raise needing(type(self).__name__)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if not name[0].isupper():
        return getattr(functional, name)
    made = globals()[name] = type(name, (Layer,), {})
    return made


ParameterList = Sequential = ModuleDict = Parameter = Layer
