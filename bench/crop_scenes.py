"""Pictures whose subject is known, drawn by code: what a smart crop is judged by.

Each scene has a subject somewhere off the middle, and something that pulls away from it. The seed
moves the subject and the colours, so that a method can be tuned on some and judged on others.
"""

import math
from collections.abc import Callable

from PIL import ImageFilter

from bench.crop_grounds import (
    bokeh,
    bricks,
    checks,
    clouds,
    gradient,
    hills,
    leaves,
    noise,
    photographed,
    plain,
    stripes,
    vignette,
    windows,
)
from bench.crop_stage import Scene, Stage, face, person, text


def _ball(stage: Stage) -> None:
    stage.ground(plain(stage.size, (60, 110, 190)))
    stage.draw.ellipse(stage.place(0.3), fill=(214, 40, 40))


def _dark_on_light(stage: Stage) -> None:
    stage.ground(plain(stage.size, (226, 226, 222)))
    stage.draw.rounded_rectangle(stage.place(0.34), radius=20, fill=(52, 50, 54))


def _moon(stage: Stage) -> None:
    stage.ground(gradient(stage.size, (6, 8, 22), (24, 30, 60)))
    for _ in range(60):
        x, y = stage.rng.randrange(stage.size[0]), stage.rng.randrange(stage.size[1])
        stage.draw.point((x, y), fill=(200, 200, 220))
    stage.draw.ellipse(stage.place(0.16), fill=(244, 240, 220))


def _low_contrast(stage: Stage) -> None:
    stage.ground(noise(stage.size, (150, 150, 150), 4, stage.rng))
    stage.draw.ellipse(stage.place(0.36), fill=(166, 163, 160))


def _portrait(stage: Stage) -> None:
    stage.ground(gradient(stage.size, (188, 190, 186), (150, 156, 160)))
    face(stage, stage.place(0.42, aspect=0.8))


def _face_in_leaves(stage: Stage) -> None:
    stage.ground(leaves(stage.size, stage.rng))
    face(stage, stage.place(0.42, aspect=0.8))


def _walker(stage: Stage) -> None:
    stage.ground(hills(stage.size, stage.rng))
    person(stage, stage.place(0.5, aspect=0.4))


def _headline(stage: Stage) -> None:
    stage.ground(gradient(stage.size, (250, 220, 120), (230, 120, 60)))
    text(stage, stage.place(0.12, aspect=4.0), "SUMMER SALE", (60, 20, 20))


def _note(stage: Stage) -> None:
    stage.ground(plain(stage.size, (252, 252, 250)))
    text(stage, stage.place(0.07, aspect=5.0), "read this first", (20, 20, 20))


def _on_gradient(stage: Stage) -> None:
    stage.ground(gradient(stage.size, (20, 60, 160), (250, 200, 90)))
    box = stage.place(0.3)
    stage.draw.polygon(
        [(box[0], box[3]), ((box[0] + box[2]) // 2, box[1]), (box[2], box[3])], fill=(40, 150, 80)
    )


def _smooth_in_noise(stage: Stage) -> None:
    stage.ground(noise(stage.size, (120, 120, 120), 60, stage.rng))
    stage.draw.ellipse(stage.place(0.34), fill=(196, 150, 60))


def _texture_on_smooth(stage: Stage) -> None:
    stage.ground(plain(stage.size, (128, 128, 128)))
    box = stage.place(0.34)
    inner = noise((box[2] - box[0], box[3] - box[1]), (128, 128, 128), 50, stage.rng)
    stage.picture.paste(inner, box[:2])


def _on_checks(stage: Stage) -> None:
    stage.ground(checks(stage.size, 40, (40, 40, 40), (225, 225, 225)))
    stage.draw.ellipse(stage.place(0.36), fill=(226, 90, 40))


def _pair(stage: Stage) -> None:
    stage.ground(hills(stage.size, stage.rng))
    first = stage.place(0.34, aspect=0.42)
    shift = round((first[2] - first[0]) * 1.4)
    if first[2] + shift > stage.size[0]:
        shift = -shift
    second = (first[0] + shift, first[1], first[2] + shift, first[3])
    stage.boxes.append(second)
    person(stage, first)
    person(stage, second)


def _big_and_small(stage: Stage) -> None:
    stage.ground(plain(stage.size, (210, 222, 214)))
    big = stage.place(0.4)
    stage.draw.ellipse(big, fill=(120, 40, 130))
    side = (big[2] - big[0]) // 4
    left = big[0] - 2 * side if big[0] > 2 * side else big[2] + side
    small = (left, big[3] - side, left + side, big[3])
    stage.boxes.append(small)
    stage.draw.ellipse(small, fill=(40, 120, 60))


def _sunset(stage: Stage) -> None:
    stage.ground(gradient(stage.size, (60, 40, 110), (250, 140, 60)))
    width, height = stage.size
    stage.draw.rectangle((0, height * 3 // 4, width, height), fill=(26, 22, 40))
    box = stage.place(0.2)
    lift = max(0, box[3] - height * 3 // 4)
    stage.boxes[-1] = box = (box[0], box[1] - lift, box[2], box[3] - lift)
    stage.draw.ellipse(box, fill=(255, 236, 170))


def _bottle(stage: Stage) -> None:
    width, height = stage.size
    stage.ground(gradient(stage.size, (236, 230, 222), (216, 206, 194)))
    stage.draw.rectangle((0, height * 4 // 5, width, height), fill=(150, 110, 76))
    box = stage.place(0.5, aspect=0.36)
    neck = (box[2] - box[0]) // 3
    stage.draw.rectangle((box[0] + neck, box[1], box[2] - neck, box[3]), fill=(40, 90, 60))
    stage.draw.rounded_rectangle(
        (box[0], box[1] + (box[3] - box[1]) // 3, box[2], box[3]), radius=12, fill=(40, 90, 60)
    )
    middle = (box[1] + box[3] * 2) // 3
    stage.draw.rectangle((box[0], middle, box[2], middle + 40), fill=(240, 230, 200))


def _flower(stage: Stage) -> None:
    stage.ground(leaves(stage.size, stage.rng))
    box = stage.place(0.32)
    x, y, reach = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, (box[2] - box[0]) / 4
    for petal in range(7):
        dx, dy = reach * math.cos(petal * 0.9), reach * math.sin(petal * 0.9)
        stage.draw.ellipse(
            (x + dx - reach, y + dy - reach, x + dx + reach, y + dy + reach), fill=(214, 44, 90)
        )
    stage.draw.ellipse(
        (x - reach / 2, y - reach / 2, x + reach / 2, y + reach / 2), fill=(250, 210, 60)
    )


def _snow_hare(stage: Stage) -> None:
    stage.ground(noise(stage.size, (236, 238, 244), 5, stage.rng))
    box = stage.place(0.34, aspect=1.3)
    stage.draw.ellipse(box, fill=(222, 222, 226))
    eye = (box[0] + (box[2] - box[0]) // 4, box[1] + (box[3] - box[1]) // 3)
    stage.draw.ellipse((eye[0], eye[1], eye[0] + 14, eye[1] + 14), fill=(30, 20, 20))


def _car(stage: Stage) -> None:
    stage.ground(windows(stage.size, stage.rng))
    height = stage.size[1]
    stage.draw.rectangle((0, height * 3 // 4, stage.size[0], height), fill=(78, 78, 82))
    box = stage.place(0.26, aspect=2.2)
    lift = box[3] - (height * 3 // 4 + 40)
    stage.boxes[-1] = box = (box[0], box[1] - lift, box[2], box[3] - lift)
    tall = box[3] - box[1]
    stage.draw.rounded_rectangle(
        (box[0], box[1] + tall // 3, box[2], box[3] - tall // 6), radius=14, fill=(200, 30, 36)
    )
    stage.draw.rounded_rectangle(
        (box[0] + tall // 2, box[1], box[2] - tall // 2, box[1] + tall // 2),
        radius=14,
        fill=(200, 30, 36),
    )
    for left in (box[0] + tall // 4, box[2] - tall * 2 // 3):
        stage.draw.ellipse(
            (left, box[3] - tall * 2 // 5, left + tall * 2 // 5, box[3]), fill=(20, 20, 22)
        )


def _in_town(stage: Stage) -> None:
    stage.ground(windows(stage.size, stage.rng))
    person(stage, stage.place(0.4, aspect=0.4))


def _depth(stage: Stage) -> None:
    stage.ground(bokeh(stage.size, stage.rng))
    person(stage, stage.place(0.6, aspect=0.42))


def _silhouette(stage: Stage) -> None:
    stage.ground(gradient(stage.size, (250, 230, 180), (240, 170, 110)))
    box = stage.place(0.36, aspect=0.6)
    stage.draw.ellipse((box[0], box[1], box[2], box[1] + (box[3] - box[1]) // 2), fill=(20, 18, 16))
    stage.draw.rectangle(
        (box[0] + 20, box[1] + (box[3] - box[1]) // 4, box[2] - 20, box[3]), fill=(20, 18, 16)
    )


def _cut_out(stage: Stage) -> None:
    """Draw a logo on nothing: the ground is transparent, and its hidden colours are loud."""
    ground = noise(stage.size, (128, 40, 160), 90, stage.rng).convert("RGBA")
    ground.putalpha(0)
    stage.ground(ground)
    box = stage.place(0.3)
    stage.draw.rounded_rectangle(box, radius=24, fill=(30, 110, 220, 255))
    stage.draw.ellipse(
        (box[0] + 40, box[1] + 40, box[2] - 40, box[3] - 40), fill=(255, 255, 255, 255)
    )


def _corner(stage: Stage) -> None:
    box = stage.place(0.3)
    stage.draw.rectangle((0, 0, *stage.size), fill=(150, 140, 120))
    stage.draw.ellipse(box, fill=(70, 120, 160))
    stage.ground(vignette(stage.picture))


def _odd_stripes(stage: Stage) -> None:
    stage.ground(stripes(stage.size, 0))
    box = stage.place(0.34)
    stage.picture.paste(stripes((box[2] - box[0], box[3] - box[1]), 90), box[:2])


def _bird(stage: Stage) -> None:
    stage.ground(clouds(stage.size, stage.rng))
    box = stage.place(0.2, aspect=1.6)
    middle = ((box[0] + box[2]) // 2, box[3])
    stage.draw.polygon(
        [box[:2], middle, (box[2], box[1]), (middle[0], box[1] + (box[3] - box[1]) // 2)],
        fill=(50, 60, 80),
    )


def _lamp_and_face(stage: Stage) -> None:
    stage.ground(gradient(stage.size, (70, 60, 56), (100, 84, 70)))
    box = stage.place(0.4, aspect=0.8)
    lamp = 10 if box[0] > stage.size[0] // 2 else stage.size[0] - 90
    stage.draw.ellipse((lamp, 10, lamp + 80, 90), fill=(255, 250, 225))
    face(stage, box)


def _on_bricks(stage: Stage) -> None:
    stage.ground(bricks(stage.size, stage.rng))
    box = stage.place(0.34, aspect=1.3)
    stage.draw.rectangle(box, fill=(246, 244, 236))
    stage.draw.rectangle(
        (box[0] + 10, box[1] + 10, box[2] - 10, box[3] - 10), outline=(30, 60, 110), width=8
    )


def _sharp_among_blurred(stage: Stage) -> None:
    for _ in range(26):
        left, top = stage.rng.randrange(stage.size[0]), stage.rng.randrange(stage.size[1])
        stage.draw.ellipse((left - 50, top - 50, left + 50, top + 50), fill=stage.color(70, 210))
    stage.ground(stage.picture.filter(ImageFilter.GaussianBlur(14)))
    box = stage.place(0.26)
    stage.draw.ellipse(box, fill=stage.color(70, 210), outline=(20, 20, 20), width=6)
    stage.draw.line(
        (box[0] + 20, box[1] + 40, box[2] - 20, box[3] - 40), fill=(250, 250, 250), width=8
    )


DRAWN: dict[str, Callable[[Stage], None]] = {
    "a ball on blue": _ball,
    "dark on light": _dark_on_light,
    "the moon": _moon,
    "low contrast": _low_contrast,
    "a face": _portrait,
    "a face in leaves": _face_in_leaves,
    "a walker in hills": _walker,
    "a headline": _headline,
    "a small note": _note,
    "on a gradient": _on_gradient,
    "smooth in noise": _smooth_in_noise,
    "texture on smooth": _texture_on_smooth,
    "on checks": _on_checks,
    "two people": _pair,
    "big and small": _big_and_small,
    "a low sun": _sunset,
    "a bottle": _bottle,
    "a flower in leaves": _flower,
    "white in snow": _snow_hare,
    "a car in town": _car,
    "a person in town": _in_town,
    "before a blurred ground": _depth,
    "a silhouette": _silhouette,
    "a cut-out logo": _cut_out,
    "in a dark corner": _corner,
    "stripes across stripes": _odd_stripes,
    "a bird and clouds": _bird,
    "a lamp and a face": _lamp_and_face,
    "a sign on bricks": _on_bricks,
    "sharp among blurred": _sharp_among_blurred,
}


def scenes(seed: int, *, as_photos: bool = False) -> list[Scene]:
    """Draw every scene; another seed moves subjects and colours."""
    drawn = []
    for number, (name, draw) in enumerate(DRAWN.items()):
        stage = Stage(name, number, seed)
        draw(stage)
        picture = photographed(stage.picture, stage.rng) if as_photos else stage.picture
        drawn.append(Scene(name=name, picture=picture, boxes=tuple(stage.boxes)))
    return drawn
