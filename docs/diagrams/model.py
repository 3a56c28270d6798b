"""The diagrams of docs/explanation/model.md.

python docs/diagrams/model.py --out docs/images
"""

import argparse
from pathlib import Path

from svg import Diagram

from pamm.ops import scan_orders
from pamm.tasks import TASKS


def network() -> Diagram:
    """The whole network."""
    d = Diagram("model_network", 880, 400)
    d.box(16, 150, 90, 70, "photo", "3 × H × W", kind="data")
    for number in range(4):
        top = 300 - 85 * number
        d.box(150, top, 150, 60, f"quarter {number + 1}", "of the encoder's blocks", kind="shared")
        d.box(370, top, 130, 60, f"stage {number + 1}", "PAME blocks", kind="task")
        d.flow((300, top + 30), (370, top + 30))
        d.words(335, top + 19, "tap", small=True)
        d.flow((500, top + 30), (530, top + 30), (530, 202), (560, 202))
        if number:
            d.flow((225, top + 85), (225, top + 60))
    d.flow((61, 220), (61, 380), (225, 380), (225, 360))
    d.words(143, 369, "patches", small=True)
    d.box(560, 167, 90, 70, "fusion", "of the stages", kind="task")
    for number, task in enumerate(TASKS.values()):
        top = 22 + 60 * number
        d.box(684, top, 180, 42, task.title, f"{task.channels} channel{'s' * (task.channels > 1)}", kind="task")
        d.flow((650, 202), (667, 202), (667, top + 21), (684, top + 21))
    d.words(774, 388, "a head for each task", small=True)
    d.key(360, 385)
    return d


def encoder() -> Diagram:
    """From pixels to four taps."""
    d = Diagram("model_encoder", 860, 210)
    d.grid(20, 50, 4, 5, side=24)
    d.words(80, 166, "h × w patches", small=True)
    d.flow((140, 98), (180, 98))
    d.box(180, 68, 96, 60, "patch map", "+ positions", kind="shared")
    for number in range(4):
        left = 306 + 136 * number
        d.flow((left - (30 if number == 0 else 36), 98), (left, 98))
        d.box(left, 68, 100, 60, "¼ of the", "blocks", kind="shared")
        if number < 3:
            d.flow((left + 118, 98), (left + 118, 30))
            d.flow((left + 100, 98), (left + 118, 98), tip=False)
        else:
            d.flow((left + 50, 68), (left + 50, 52))
            d.box(left + 5, 26, 90, 26, "layer norm", kind="shared")
            d.flow((left + 95, 39), (left + 118, 39), (left + 118, 18))
        d.words(left + 118, 18 if number < 3 else 10, f"tap {number + 1}", small=True)
    d.words(430, 166, "self-attention and MLP, residual: every patch sees every other", small=True)
    d.key(306, 192)
    return d


def stage() -> Diagram:
    """From a tap to a map for each task."""
    d = Diagram("model_stage", 860, 250)
    d.box(20, 95, 80, 56, "tap F", "h × w", kind="data")
    d.flow((100, 123), (135, 123))
    d.box(135, 88, 150, 70, "Conv 3×3", "group norm: u, width d", kind="shared")
    for number, name in enumerate(("depth", "normals", "…")):
        top = 22 + 68 * number
        d.flow((285, 123), (315, 123), (315, top + 25), (345, top + 25))
        d.box(345, top, 140, 50, "Conv 3×3", f"{name}: v", kind="task")
        d.flow((485, top + 25), (530, top + 25))
        d.box(530, top, 150, 50, "PAME block", "reads the whole map", kind="task")
        d.flow((680, top + 25), (730, top + 25))
        d.box(730, top, 110, 50, "o", "h·w × d", kind="data")
    d.key(345, 232)
    return d


def block() -> Diagram:
    """The PAME block of one task."""
    d = Diagram("model_block", 860, 420)
    d.box(20, 180, 60, 44, "v", kind="data")
    d.flow((80, 202), (110, 202))
    d.box(110, 177, 96, 50, "group norm", "n", kind="task")
    d.flow((206, 202), (230, 202), tip=False)
    d.flow((230, 202), (230, 60), (260, 60))
    d.box(260, 35, 150, 50, "Conv 1×1, SiLU", "gate z", kind="task")
    d.flow((230, 202), (260, 202))
    d.box(260, 177, 96, 50, "DWConv 3×3", "norm, SiLU", kind="task")
    d.flow((356, 202), (380, 202))
    d.box(380, 177, 104, 50, "Conv 1×1", "of SiLU: x, E = 2d", kind="task")
    d.flow((484, 202), (505, 202), tip=False)
    for number, (title, below, kind) in enumerate(
        (
            ("experts", "B = PE(x) + p", "shared"),
            ("experts", "C = PE(x) + p", "shared"),
            ("E → R → E", "step δ", "task"),
        )
    ):
        top = 250 + 54 * number
        d.flow((505, 202), (505, top + 22), (530, top + 22))
        d.box(530, top, 130, 44, title, below, kind=kind)
        d.flow((660, top + 22), (700, top + 22))
    d.frame(518, 240, 154, 172)
    d.words(440, 400, "parameters made from x", small=True)
    d.flow((505, 202), (700, 202))
    d.words(600, 190, "x", small=True)
    d.box(
        700, 177, 90, 235, "scan", "K orders,", "state of N", "numbers for", "each channel,", "A, D learnt", kind="task"
    )
    d.flow((745, 177), (745, 148))
    d.words(757, 162, "y", small=True)
    d.box(697, 98, 96, 50, "Conv 1×1", "E → d", kind="task")
    d.flow((745, 98), (745, 71))
    d.sign(745, 60, "⊙")
    d.flow((410, 60), (734, 60))
    d.flow((756, 60), (799, 60))
    d.sign(810, 60, "+")
    d.flow((50, 180), (50, 15), (810, 15), (810, 49))
    d.words(430, 25, "skip: detail passes the scan by", small=True)
    d.flow((810, 71), (810, 110))
    d.words(810, 120, "o")
    d.key(110, 350)
    return d


def experts() -> Diagram:
    """Experts, gates and priors."""
    d = Diagram("model_experts", 860, 400)
    d.box(20, 130, 90, 56, "x of a task", "h·w × E", kind="data")
    d.flow((65, 130), (65, 55), (150, 55))
    d.box(150, 25, 170, 60, "router", "reads the whole map", kind="task")
    d.flow((320, 55), (360, 55))
    d.box(360, 25, 150, 60, "M gates", "softmax, k largest kept", kind="task")
    d.flow((110, 158), (150, 158))
    d.box(150, 128, 170, 60, "M experts, first maps", "E → M · r channels", kind="shared")
    d.flow((320, 158), (424, 158))
    d.sign(435, 158, "⊙")
    d.flow((435, 85), (435, 147))
    d.flow((446, 158), (490, 158))
    d.box(490, 128, 130, 60, "last maps", "M · r → N", kind="shared")
    d.flow((620, 158), (650, 158))
    d.box(650, 138, 60, 40, "BN", kind="task")
    d.flow((710, 158), (739, 158))
    d.sign(750, 158, "+")
    d.flow((130, 158), (130, 238), (150, 238))
    d.box(150, 208, 170, 60, "own low-rank map", "E → r → N", kind="task")
    d.flow((320, 238), (424, 238))
    d.sign(435, 238, "⊙")
    d.words(375, 250, "m, from the router", small=True)
    d.flow((446, 238), (750, 238), (750, 169))
    d.flow((130, 238), (130, 318), (150, 318))
    d.box(150, 288, 170, 60, "general map", "E → N, no gradient to x", kind="shared")
    d.flow((320, 318), (750, 318), (750, 240), tip=False)
    d.flow((750, 147), (750, 118))
    d.box(720, 78, 60, 40, "BN", kind="task")
    d.flow((750, 78), (750, 56))
    d.sign(750, 45, "+")
    d.box(590, 25, 110, 40, "prior p", kind="task")
    d.flow((700, 45), (739, 45))
    d.flow((761, 45), (800, 45))
    d.words(822, 45, "B or C")
    d.key(150, 380)
    return d


def scan() -> Diagram:
    """One map read in four orders, and the outputs summed."""
    d = Diagram("model_scan", 860, 330)
    side, cell = 8, 17
    d.words(80, 235, "x, Δ, B, C: made once", small=True)
    d.grid(20, 95, side, side, side=15)
    orders = scan_orders("hilbert", side, side, directions=4).tolist()
    for number, order in enumerate(orders):
        left, top = 240 + 190 * (number % 2), 35 + 150 * (number // 2)
        points = [(left + cell * (place % side + 0.5), top + cell * (place // side + 0.5)) for place in order]
        d.flow(*points)
        d.parts.append(f'<circle class="tip" cx="{points[0][0]:g}" cy="{points[0][1]:g}" r="4"/>')
        d.words(left + cell * side / 2, top - 10, f"order {number}", small=True)
    d.flow((150, 155), (215, 155))
    d.frame(222, 8, 350, 315)
    d.flow((580, 155), (629, 155))
    d.sign(640, 155, "+")
    d.words(640, 185, "each output", small=True)
    d.words(640, 202, "at its own place", small=True)
    d.flow((651, 155), (690, 155))
    d.grid(700, 95, side, side, side=15, kind="plain")
    d.words(760, 235, "y")
    return d


def fusion() -> Diagram:
    """From the stages to a map."""
    d = Diagram("model_fusion", 860, 250)
    for number in range(4):
        d.box(20, 20 + 48 * number, 100, 36, f"o of stage {number + 1}", kind="data")
        d.flow((120, 38 + 48 * number), (150, 38 + 48 * number), (150, 60), (185, 60))
    d.box(185, 30, 150, 60, "Conv 1×1, BN, GELU", "4 d → d", kind="task")
    d.flow((335, 60), (365, 60))
    d.box(365, 30, 130, 60, "Conv 3×3", "softmax: 4 weights", kind="task")
    d.flow((430, 90), (430, 147))
    d.flow((150, 158), (419, 158))
    d.sign(430, 158, "Σ")
    d.words(300, 146, "weighted sum at each position", small=True)
    d.flow((441, 158), (480, 158))
    d.box(480, 128, 100, 60, "enlarged", "4 times", kind="task")
    d.flow((580, 158), (604, 158))
    d.box(604, 128, 140, 60, "Conv 3×3, BN, GELU", "Conv 1×1", kind="task")
    d.flow((744, 158), (768, 158))
    d.words(808, 150, "enlarged")
    d.words(808, 168, "to H × W", small=True)
    d.key(365, 232)
    return d


DIAGRAMS = (network, encoder, stage, block, experts, scan, fusion)


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out
    for draw in DIAGRAMS:
        draw().save(folder)


if __name__ == "__main__":
    main()
