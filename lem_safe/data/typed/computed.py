"""The columns of a table that are made with the help of others, of their cells as they are written (E.28).

A computed column has no latent number and no code: D makes the other columns, rounds them, and then works
each formula out of the written cells, in an order in which its inputs are there, and rounds it to what its
own column holds. A column that is relative to a base has a difference from it, or a share of it, as its
latent number: D adds the base, or multiplies by it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from jaxtyping import Float64

from barriers.arrays import Tensor, torch
from barriers.sets.cells import Cells
from barriers.sets.derived import circle
from barriers.sets.formula import Formula
from barriers.sets.usage import Usage
from barriers.tables import CellKind, Coder, Holding, kind_of_cells
from barriers.tables.cell_kinds import truth_of
from lem_safe.data.typed.fields import Field

OPPOSITES = {"true": "false", "yes": "no", "1": "0", "1.0": "0.0"}
KINDS: dict[str, CellKind] = {"number": "number", "integer": "number", "date": "date"}


class Computed:
    """The formulas of the fields that have one; ValueError where one cannot be worked out from the others, or
    gives what its column does not hold.
    """

    def __init__(self, fields: Sequence[Field]):
        self.fields = tuple(fields)
        texts = {j: field.formula or field.base for j, field in enumerate(self.fields)}
        texts = {j: text for j, text in texts.items() if text}
        names = {name: text for j in texts for name, text in self.fields[j].names}
        self._kinds = _kinds(self.fields, list(texts.values()), names) if texts else {}
        self._codes = {j: self._coded(j) for j, field in enumerate(self.fields) if self._worded(field)}
        columns = [field.name for field in self.fields]
        cells = Cells(self._kinds, "known", names)
        self.formulas = {j: _made(columns[j], text, columns, cells) for j, text in texts.items()}
        self.order = self._order()
        for j in self.order:
            self._must_fit(j)

    def __bool__(self) -> bool:
        return bool(self.order)

    def inputs(self, wanted: Collection[int]) -> set[int]:
        """These columns, and those that they are computed from."""
        found = set(wanted)
        for j in reversed(self.order):
            found |= set(self.formulas[j].used) if j in found else set()
        return found

    def total(self, j: int) -> bool:
        """Whether a formula has a value in every row, as none of its inputs may be missing and none that it
        divides by can be 0.
        """
        formula, fields = self.formulas[j], self.fields
        sound = formula.divisors is not None and not any(fields[i].gaps for i in formula.used)
        return sound and all(fields[i].low > 0 or fields[i].high < 0 for i in formula.divisors or ())

    def exact(self, j: int, cells: Sequence[Float64[Tensor, "n"]]) -> Float64[Tensor, "n"]:
        """The value of a formula, or of a base, at rows, before rounding; categories by place."""
        field, formula = self.fields[j], self.formulas[j]
        found = formula.values([self._seen(i, v) if i in formula.used else v for i, v in enumerate(cells)])
        if field.kind != "category":
            return found
        truth = torch.tensor([truth_of(label) for label in field.labels], dtype=torch.float64)
        yes, no = ((truth == value).nonzero()[0, 0].double() for value in (1.0, 0.0))
        return torch.where(found.isnan(), torch.nan, torch.where(found == 1, yes, no))

    def complete(
        self, cells: Sequence[Float64[Tensor, "n"]], wanted: Collection[int], *, rounded: bool
    ) -> list[Float64[Tensor, "n"]]:
        """All columns, with those made that are wanted and are computed, or whose cells are differences from
        their bases, or shares of them.
        """
        made = list(cells)
        for j in self.order:
            if j in wanted:
                value, field = self.exact(j, made), self.fields[j]
                value = field.from_base(made[j], value) if field.base else value
                made[j] = field.rounded(value) if rounded else value
        return made

    def recomputed(self, cells: Sequence[Float64[Tensor, "n"]]) -> list[Float64[Tensor, "n"]]:
        """The columns of a table, with what is computed of them."""
        made = list(cells)
        for j in self.order:
            if self.fields[j].formula:
                made[j] = self.fields[j].rounded(self.exact(j, made))
        return made

    def relative(self, j: int, cells: Sequence[Float64[Tensor, "n"]]) -> Float64[Tensor, "n"]:
        """The cells of a column, of one with a base as differences from it, or shares of it."""
        return self.fields[j].to_base(cells[j], self.exact(j, cells)) if self.fields[j].base else cells[j]

    def _seen(self, i: int, v: Tensor) -> Tensor:
        """The cells of a column as formulas know them: categories by their codes."""
        table = self._codes.get(i)
        if table is None:
            return v
        numbers = table.to(v.device)[v.detach().nan_to_num(0.0).long()]
        return torch.where(v.isnan(), torch.nan, numbers)

    def _worded(self, field: Field) -> bool:
        return field.kind == "category" and field.name in self._kinds

    def _coded(self, j: int) -> Tensor:
        field = self.fields[j]
        coder = Coder(self._kinds[field.name], field.labels)
        codes, bad = coder.codes(field.labels)
        if bad.any():
            label = field.labels[int(bad.argmax())]
            raise ValueError(
                f"a formula takes column '{field.name}' for {coder.kind}, and it holds '{label[:40]}'"
            )
        return torch.from_numpy(codes)

    def _order(self) -> list[int]:
        """The columns with a formula or a base, each behind those that these read."""
        reads = {j: [i for i in formula.used if i in self.formulas] for j, formula in self.formulas.items()}
        named = {self.fields[j].name: [self.fields[i].name for i in inner] for j, inner in reads.items()}
        if trail := circle(named):
            raise ValueError(f"column '{trail[0]}' is made of itself: {' -> '.join(trail)}")
        found: list[int] = []
        while len(found) < len(reads):
            found += [j for j, inner in reads.items() if j not in found and set(inner) <= set(found)]
        return found

    def _must_fit(self, j: int) -> None:
        """Refuses a formula whose values are none of its column's, and a base that may have no value where
        the column must have one.
        """
        field, formula = self.fields[j], self.formulas[j]
        if field.base:
            _must_be_a_base(field, formula, total=self.total(j))
            return
        given = {"number": "numbers", "date": "dates", "boolean": "truth values", "text": "texts"}
        truths = field.kind == "category" and all(truth_of(label) is not None for label in field.labels)
        fits = {
            "number": field.kind in ("number", "integer"),
            "date": field.kind == "date",
            "boolean": truths or field.kind in ("number", "integer"),
        }
        if not fits.get(formula.kind, False):
            holds = {"category": "categories", "date": "dates"}.get(field.kind, f"{field.kind}s")
            message = f"{given[formula.kind]} are computed, and the column holds {holds}"
            raise ValueError(f"column '{field.name}' = {formula.text}: {message}; leave it out of derived")
        for i in formula.whole:
            if self.fields[i].kind != "category" and self.fields[i].digits != 0:
                name = self.fields[i].name
                way = f"write abs({name} - ...) <= .005"
                raise ValueError(
                    f"column '{field.name}' = {formula.text}: '{name}' holds no whole numbers to compare by "
                    f"==; {way}"
                )


def both(field: Field) -> Field:
    """A computed column of truth values with a label for each of the two; any other as it is."""
    truths = [truth_of(label) for label in field.labels]
    if field.kind != "category" or None in truths or len(set(truths)) != 1:
        return field
    words = {**OPPOSITES, **{no: yes for yes, no in OPPOSITES.items()}}
    label = field.labels[0]
    other = words[label.casefold()]
    other = other.upper() if label.isupper() and label.isalpha() else other
    return replace(field, labels=(*field.labels, other.capitalize() if label.istitle() else other))


def _must_be_a_base(field: Field, formula: Formula, *, total: bool) -> None:
    key = "over" if field.ratio else "minus"
    what = f"column '{field.name}' {key} {field.base}"
    kinds = {"number": "number", "integer": "number"} | ({} if field.ratio else {"date": "date"})
    if formula.kind != kinds.get(field.kind):
        both = "numbers" if field.ratio else "numbers, or both dates"
        raise ValueError(f"{what}: both must be {both}; leave {key} out")
    if not total and not field.gaps:
        raise ValueError(
            f"{what}: no cell of '{field.name}' is missing, so the expression must have a value in every "
            f"row; leave {key} out"
        )


def _made(column: str, text: str, columns: Sequence[str], cells: Cells) -> Formula:
    try:
        return Formula(text, columns, cells)
    except ValueError as bad:
        why = str(bad).removeprefix("rule: ")
        raise ValueError(f"column '{column}' = {text}: {why}") from None


def _kinds(fields: Sequence[Field], texts: Iterable[str], names: dict[str, str]) -> dict[str, CellKind]:
    """What formulas take columns for."""
    usage = Usage([field.name for field in fields], names)
    for text in (*texts, *names.values()):
        usage.add(text)

    def holding(j: int) -> Holding:
        field = fields[j]
        if field.kind == "category":
            return Holding(kind_of_cells(field.labels))
        return Holding(KINDS[field.kind], True)

    told = usage.kinds(holding)
    kinds: dict[str, CellKind] = {}
    for field in fields:
        if field.kind == "date":
            kinds[field.name] = "date"
        elif field.kind == "category":
            truths = field.formula and all(truth_of(label) is not None for label in field.labels)
            kinds[field.name] = told.get(field.name, "boolean" if truths else "text")
    return kinds
