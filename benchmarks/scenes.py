"""How many rendered scenes one core makes in a second: ``python benchmarks/scenes.py [count]``."""

import sys
import time

import cv2

from pamm.data.scenes import ScenesDataset


def main() -> None:
    """Render scenes on one thread and print the rate and the spread of the times."""
    cv2.setNumThreads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    scenes = ScenesDataset(seed=1, length=count + 10)
    for index in range(10):
        scenes[index]
    times = []
    for index in range(10, count + 10):
        start = time.process_time()
        scenes[index]
        times.append(time.process_time() - start)
    times.sort()
    size = f"{scenes.height}x{scenes.width}"
    sys.stdout.write(
        f"{count / sum(times):.1f} images of {size} per second and core; "
        f"median {1e3 * times[count // 2]:.1f} ms, slowest {1e3 * times[-1]:.1f} ms\n"
    )


if __name__ == "__main__":
    main()
