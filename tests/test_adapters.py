"""Every way in from Python keeps the same documents as the command on one corpus."""

from __future__ import annotations

import json
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dedup

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


def library(name: str) -> Any:
    """A library of others; CI must have it."""
    if os.environ.get("CI") and os.environ.get("DEDUP_OLDEST") is None:
        return __import__(name)
    return pytest.importorskip(name)


@pytest.fixture(scope="module")
def corpus() -> list[dict[str, Any]]:
    """Texts with exact, near and contained copies, in a random order."""
    random.seed(5)
    words = [f"word{number}" for number in range(4000)]
    rows = []
    for number in range(60):
        text = random.choices(words, k=random.randint(30, 300))
        rows.append(" ".join(text))
        if number % 3 == 0:
            rows.append(" ".join(text).upper() + "!")
        if number % 4 == 0:
            text[len(text) // 2] = "changed"
            rows.append(" ".join(text))
        if number % 5 == 0:
            rows.append(" ".join(text[: len(text) * 2 // 3]))
    random.shuffle(rows)
    return [{"id": f"doc-{number}", "text": text} for number, text in enumerate(rows)]


@pytest.fixture(scope="module")
def kept(corpus: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Ids that the command keeps."""
    path: Path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in corpus))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dedup", "scan", path, "--json", "-q"], check=True, stdout=subprocess.PIPE
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    dropped = {line["id"] for line in lines if line["type"] == "drop"}
    assert {line["relation"] for line in lines if line["type"] == "drop"} == {"exact", "near", "contained"}
    return [row["id"] for row in corpus if row["id"] not in dropped]


def test_the_library(corpus: list[dict[str, Any]], kept: list[str]) -> None:
    assert dedup.find_duplicates(corpus).kept_ids() == kept


def test_pyarrow(corpus: list[dict[str, Any]], kept: list[str]) -> None:
    pa = library("pyarrow")
    table = pa.Table.from_pylist(corpus)
    result = dedup.find_duplicates(table.to_reader(max_chunksize=7))
    assert result.kept_ids() == kept
    assert table.filter(pa.array(result.keep_mask()))["id"].to_pylist() == kept


def test_polars(corpus: list[dict[str, Any]], kept: list[str]) -> None:
    pl = library("polars")
    library("pyarrow")
    import dedup.adapters.polars

    frame = pl.DataFrame(corpus)
    assert frame.dedup.keep()["id"].to_list() == kept
    assert frame.lazy().dedup.keep().select("id").collect()["id"].to_list() == kept
    assert frame.lazy().dedup.keep().filter(pl.col("id") == kept[3]).collect()["id"].to_list() == [kept[3]]
    assert frame.filter(pl.col("text").dedup.is_kept())["id"].to_list() == kept
    assert frame.dedup.result().kept_ids() == kept
    texts = frame["text"]
    assert frame.filter(texts.dedup.is_kept())["id"].to_list() == kept and texts.dedup.is_kept().name == "text"
    assert texts.dedup.keep().equals(texts.filter(texts.dedup.is_kept()))
    assert texts.cast(pl.Categorical).dedup.is_kept().equals(texts.dedup.is_kept())
    relations = frame.dedup.relations()
    assert relations.filter("kept")["id"].to_list() == kept
    assert relations.filter(~pl.col("kept"))["relation"].null_count() == 0
    grouped = pl.DataFrame({"group": [1, 1, 2], "text": ["a b c", "A b c", "a b c"]})
    assert grouped.with_columns(stays=pl.col("text").dedup.is_kept().over("group"))["stays"].to_list() == [
        True,
        False,
        True,
    ]
    strict = dedup.Settings(text_field="body", containment=None)
    assert len(frame.rename({"text": "body"}).dedup.keep(strict, threads=1)) > len(kept)


def test_pandas(corpus: list[dict[str, Any]], kept: list[str]) -> None:
    pd = library("pandas")
    library("pyarrow")
    import dedup.adapters.pandas  # noqa: F401

    index = [f"row {number}" for number in range(len(corpus))]
    frame = pd.DataFrame(corpus, index=index)
    stays = frame["id"].isin(kept)
    assert frame.dedup.keep().equals(frame[stays])
    assert frame.dedup.is_kept().tolist() == stays.tolist()
    assert frame["text"].dedup.keep().index.tolist() == frame[stays].index.tolist()
    for kind in (object, "string", pd.ArrowDtype(__import__("pyarrow").string())):
        assert frame.astype({"text": kind}).dedup.keep().index.tolist() == frame[stays].index.tolist(), kind
    relations = frame.dedup.relations()
    assert relations.index.tolist() == index
    assert relations[relations["kept"]]["id"].tolist() == kept
    assert relations["cluster"].dtype == "Int64" and relations["jaccard"].dtype == np.float64


def test_datasets(corpus: list[dict[str, Any]], kept: list[str], tmp_path: Path) -> None:
    datasets = library("datasets")
    from dedup.adapters.datasets import Keep, deduplicate

    rows = datasets.Dataset.from_list(corpus)
    before = rows._fingerprint
    first, second = deduplicate(rows), deduplicate(rows)
    assert first["id"][:] == kept
    assert rows._fingerprint == before and len(rows) == len(corpus)
    assert first._fingerprint == second._fingerprint != before
    keep = Keep.of(rows)
    assert keep == Keep.of(rows)
    for options in ({}, {"batched": True, "batch_size": 7}, {"batched": True, "num_proc": 2}):
        filtered = rows.filter(keep, with_indices=True, load_from_cache_file=False, **options)
        assert filtered["id"][:] == kept, options
    again = [rows.filter(Keep.of(rows), with_indices=True, batched=True)._fingerprint for _ in range(2)]
    assert again[0] == again[1]
    backwards = rows.select(range(len(rows) - 1, -1, -1))
    assert sorted(deduplicate(backwards)["id"][:]) == sorted(kept)


def test_scikit_learn(corpus: list[dict[str, Any]], kept: list[str]) -> None:
    library("sklearn")
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.pipeline import make_pipeline
    from sklearn.utils import estimator_checks
    from sklearn.utils.validation import check_is_fitted

    from dedup.adapters.sklearn import Deduplicator

    texts = [row["text"] for row in corpus]
    model = Deduplicator()
    labels = model.fit_predict(texts)
    assert [row["id"] for row, stays in zip(corpus, model.keep_mask_, strict=True) if stays] == kept
    assert len(set(labels.tolist())) == len(kept)
    assert list(dict.fromkeys(labels.tolist())) == list(range(len(kept)))
    for cluster in model.result_.clusters:
        assert {labels[int(drop.id)] for drop in cluster.drops} == {labels[int(cluster.keep.id)]}
    assert clone(model).set_params(containment=None).fit(np.array(texts, dtype=object)).keep_mask_.sum() > len(kept)
    for name in (
        "check_estimator_cloneable",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_do_not_raise_errors_in_init_or_set_params",
    ):
        getattr(estimator_checks, name)("Deduplicator", Deduplicator())
    with pytest.warns(estimator_checks.SkipTestWarning, match="Can't test estimator Deduplicator which requires input"):
        estimator_checks.check_estimator(Deduplicator())  # all that it has for what isn't numbers
    assert not hasattr(Deduplicator(), "labels_")
    with pytest.raises(NotFittedError):
        check_is_fitted(Deduplicator())
    check_is_fitted(model)
    before = model.get_params()
    assert model.fit(texts) is model and model.get_params() == before
    stored = pickle.loads(pickle.dumps(model))
    assert stored.labels_.tolist() == labels.tolist() and stored.result_.kept_ids() == model.result_.kept_ids()
    assert make_pipeline(Deduplicator()).fit_predict(texts).tolist() == labels.tolist()
    for wrong in ([], [1, 2], [["a"], ["b"]], "text"):
        with pytest.raises(ValueError):
            Deduplicator().fit(wrong)
    with pytest.raises(ValueError, match="threshold"):
        Deduplicator(threshold=70).fit(["a"])


def test_datatrove(corpus: list[dict[str, Any]], kept: list[str], tmp_path: Path) -> None:
    library("datatrove")
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    from dedup.adapters.datatrove import DedupStep

    inputs = tmp_path / "in"
    inputs.mkdir()
    (inputs / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
    dropped = JsonlWriter(str(tmp_path / "dropped"), compression=None)
    steps: list[Callable[..., Any]] = [
        JsonlReader(str(inputs)),
        DedupStep(exclusion_writer=dropped),
        JsonlWriter(str(tmp_path / "out"), compression=None),
    ]
    LocalPipelineExecutor(steps, tasks=1, logging_dir=str(tmp_path / "logs")).run()

    def written(folder: str) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for path in sorted((tmp_path / folder).glob("*.jsonl"))
            for line in path.read_text().splitlines()
        ]

    assert [row["id"] for row in written("out")] == kept
    gone = written("dropped")
    assert {row["id"] for row in gone} == {row["id"] for row in corpus} - set(kept)
    assert all(row["metadata"]["dedup"]["kept_id"] in kept for row in gone)
    with pytest.raises(dedup.DedupError, match="tasks=1"):
        list(DedupStep().run([Document("text", "id")], rank=0, world_size=2))
