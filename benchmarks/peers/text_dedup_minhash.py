"""text-dedup 0.4: its own command, `python -m text_dedup.minhash`, one process; its output is read back for the ids."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from _common import arguments, read, write


def main() -> None:
    """Connected components of documents that share a band, as the command makes them."""
    options = arguments()
    folder = Path(tempfile.mkdtemp(prefix="text-dedup-", dir=options.output.parent))
    command = [
        *(sys.executable, "-m", "text_dedup.minhash", "--path", "json", "--data_files", str(options.input)),
        *("--split", "train", "--column", "text"),
        *("--cache_dir", str(folder / "cache"), "--output", str(folder / "kept"), "--num_proc", str(options.threads)),
        *("--ngram", str(options.shingle), "--min_length", "1", "--num_perm", str(options.num_perm)),
        *("--b", str(options.bands), "--r", str(options.rows), "--hash_func", "xxh3", "--hash_bits", "32"),
    ]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        import datasets

        kept = set(datasets.load_from_disk(str(folder / "kept"))["id"])
        write(options.output, ((key, None) for key, _ in read(options.input) if key not in kept))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
