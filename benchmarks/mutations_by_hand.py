"""Broken scenario files that nobody draws at random, and the good one that all are made from."""

import random

GOOD = """\
version: 1
name: two_balls
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  near: {kind: ball, center: [2, 0], radius: 0.8}
  wall: {kind: half_space, normal: [1, 0], offset: 3}
  odd: {kind: rule, where: "x0 * x1 > 2"}
  both: {any: [near, wall, odd]}
constraints:
  - {set: both, beta: 0.03}
sampler: {kind: langevin, samples: 100, steps: 10, step_size: 1e-2}
filter: {kind: gate}
audit: {confidence: 0.95}
sweep: {sampler.steps: [10, 20]}
"""


def handmade(size: float = 1.0) -> dict[str, bytes]:
    """The files nobody draws at random; those that are long by `size` times as much."""

    def times(count: int) -> int:
        return int(size * count)

    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)
    )
    texts = {
        "empty": "",
        "blank": " \n\n",
        "comment": "# nothing\n",
        "a list": "- 1\n",
        "a number": "3\n",
        "bomb": bomb,
        "merge": GOOD + "<<: {a: 1}\n",
        "alias": GOOD.replace("[0, 0]", "&m [0, 0]").replace("[2, 0]", "*m"),
        "tab": GOOD.replace("  near", "\tnear"),
        "two documents": GOOD + "---\n" + GOOD,
        "tag": GOOD.replace("0.8", "!!python/object:os.system x"),
        "deep": "a: " + "[" * times(100_000),
        "deep braces": "{a: " * times(50_000),
        "deep blocks": "".join(" " * i + "a:\n" for i in range(times(1500))),
        "wide": "a: [" + "1," * times(200_000) + "1]",
        "long line": "a: " + "x" * times(480_000),
        "many keys": "".join(f"k{i}: 1\n" for i in range(times(15_000))),
        "huge": "x" * 1_500_000,
        "quotes": "a: '" + "''" * times(200_000),
        "digits": GOOD.replace("10, step", "9" * times(300_000) + ", step"),
        "null byte": GOOD + "a: \x00\n",
        "duplicates": GOOD + "seed: 1\n" * times(3000),
        "CRLF": GOOD.replace("0.8", "-1").replace("\n", "\r\n"),
        "CR": GOOD.replace("0.8", "-1").replace("\n", "\r"),
        "rule": GOOD.replace("x0 * x1 > 2", "(" * 3000 + "x0" + ")" * 3000 + " > 1"),
        "power": GOOD.replace("x0 * x1 > 2", "9**9**9**9**9 > x0"),
        "sum": GOOD.replace("x0 * x1 > 2", "+".join(["x0"] * times(20_000)) + " > 1"),
        "samples": GOOD.replace("samples: 100,", "samples: 4000000000000,"),
        "sweep": GOOD.replace("[10, 20]", str([*range(1, times(20_000))])),
        "grid": GOOD.replace("sampler.steps: [10, 20]", ", ".join(f"a.{c}: [1, 2, 3]" for c in "abcdefgh")),
        "bad sweep": GOOD.replace("[10, 20]", str([*range(-times(100), 0)])),
        "union": GOOD.replace("[near, wall, odd]", "[" + "near, " * times(9_000) + "waal]"),
        "means": GOOD.replace(
            "kind: gaussian, mean: [0, 0]",
            "kind: gaussian_mixture, means: [" + "[0, 0], " * times(5_000) + "[0, x]]",
        ),
    }
    files = {name: text.encode() for name, text in texts.items()}
    files["BOM"] = b"\xef\xbb\xbf" + GOOD.replace("0.8", "-1").encode()
    files["UTF-16"] = GOOD.encode("utf-16")
    files["binary"] = bytes(random.Random(0).randrange(256) for _ in range(4000))
    files["gzip"] = b"\x1f\x8b\x08\x00" + bytes(200)
    files["cut"] = GOOD.encode()[:-7] + "é".encode()[:1]
    return files
