"""Videos in and out, by OpenCV: frames as arrays, sizes and rates as the file has them, errors of one line."""

import math
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from pamm.data.files import WriteError
from pamm.data.images import ImageError, check_file
from pamm.engine.colours import Pixels
from pamm.names import unknown_name

# FFmpeg says nothing, unless the user has it otherwise; read once, when the first video is opened
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

CODECS = {"mp4": "mp4v", "webm": "VP80", "avi": "MJPG", "mkv": "FFV1"}
"""Codecs by the suffix of a video: MPEG-4, VP8 (for browsers), Motion JPEG, and FFV1, which loses nothing."""
_RATE = 25.0
"""Frames per second of a video that does not say."""
_MOST_FRAMES = 1 << 31
_SILENT = 0
"""OpenCV's level of messages, of which there are none."""
_STDERR = threading.Lock()


class VideoError(ImageError):
    """Something is not a video that can be read."""


class Video:
    """A video that is read from the first frame to the last."""

    def __init__(self, capture: cv2.VideoCapture, path: Path) -> None:
        """Take an opened file.

        Raises:
            VideoError: if there is no frame in it.
        """
        self._capture = capture
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if math.isfinite(rate) and 0 < rate <= 1000 else _RATE
        """Frames per second."""
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frames = int(count) if 0 < count < _MOST_FRAMES else 0
        """How many frames it says it has, which may be a guess; 0 if it does not say."""
        whole, frame = capture.read()
        if not whole:
            raise VideoError(
                f"{path}: no frame can be read: it is empty, damaged, or of an unknown codec: convert it to MP4"
            )
        self.size: tuple[int, int] = frame.shape[:2]
        """Rows and columns of its frames, turned as they are to be shown."""
        self._first: Pixels | None = np.asarray(frame, dtype=np.uint8)

    def read(self, count: int) -> list[Pixels]:
        """The next frames, (H, W, 3) uint8 RGB; fewer than asked for where the video ends."""
        frames: list[Pixels] = []
        while len(frames) < count:
            whole, frame = (True, self._first) if self._first is not None else self._capture.read()
            self._first = None
            if not whole or frame is None or frame.shape[:2] != self.size:
                break
            frames.append(np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8))
        return frames

    def skip(self, count: int) -> int:
        """Pass over frames, and give their number; fewer than asked for where the video ends."""
        passed = 0
        while passed < count and (self._first is not None or self._capture.grab()):
            self._first = None
            passed += 1
        return passed


@contextmanager
def open_video(path: Path) -> Iterator[Video]:
    """Open a video.

    Raises:
        VideoError: if it cannot be read.
    """
    check_file(path)
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise VideoError(f"{path}: not a video that can be read: convert it to MP4")
        yield Video(capture, path)
    finally:
        capture.release()


def frame_count(path: Path) -> int:
    """How many frames a video says it has; 1 if it does not say, or cannot be read."""
    try:
        with quiet(), open_video(path) as video:
            return max(1, video.frames)
    except (ImageError, OSError):
        return 1


def write_video(path: Path, frames: Iterable[Pixels], *, rate: float, codec: str) -> None:
    """Write a video.

    Args:
        path: the file.
        frames: (H, W, 3) uint8 RGB of one size; an odd side gains a row or column like its last one, since codecs want
            even sides.
        rate: frames per second.
        codec: four letters.

    Raises:
        WriteError: if it cannot be written.
    """
    writer: cv2.VideoWriter | None = None
    count = 0
    try:
        for frame in frames:
            even = cv2.cvtColor(_even(frame), cv2.COLOR_RGB2BGR)
            if writer is None:
                height, width = even.shape[:2]
                with _no_stderr():
                    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, (width, height))
                if not writer.isOpened():
                    raise WriteError(f"{codec} cannot hold {width}×{height} pixels here: choose another format")
            writer.write(even)
            count += 1
    finally:
        if writer is not None:
            writer.release()
    # OpenCV does not say when a disk is full
    written = _count_frames(path)
    if written != count:
        raise WriteError(f"{written} of {count} frames could be written: make room, or choose another format")


def check_format(name: str) -> None:
    """Raise a ValueError if videos of a suffix cannot be written."""
    if name not in CODECS:
        raise unknown_name("format of videos", name, CODECS)


def _even(frame: Pixels) -> Pixels:
    height, width = frame.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return frame
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _count_frames(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what OpenCV has to say of damaged videos off the terminal."""
    # OpenCV 5 has moved it
    set_level = cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel
    before = set_level(_SILENT)
    try:
        yield
    finally:
        set_level(before)


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Close stderr to C: OpenCV tells it the tag of VP8, which WebM has no room for and does well without."""
    with _STDERR:
        try:
            before = os.dup(2)
        except OSError:  # there is none
            yield
            return
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            os.close(nothing)
