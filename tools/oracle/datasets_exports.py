"""Reads the five formats of `emosllm corpus export` with pandas and pyarrow and checks that they say the same.

    python tools/oracle/datasets_exports.py FOLDER   # with o.jsonl o.csv o.parquet o.emobox o.ms-swift of one export
"""
import json
import sys

import pandas as pd

folder = sys.argv[1]
parquet = pd.read_parquet(f"{folder}/o.parquet")
csv = pd.read_csv(f"{folder}/o.csv", dtype={"session": str})
jsonl = pd.DataFrame([json.loads(line) for line in open(f"{folder}/o.jsonl", encoding="utf-8")])
emobox = pd.DataFrame([json.loads(line) for line in open(f"{folder}/o.emobox", encoding="utf-8")])
swift = pd.DataFrame([json.loads(line) for line in open(f"{folder}/o.ms-swift", encoding="utf-8")])
swift["audio"] = [a[0] for a in swift.audios]
emobox = emobox.rename(columns={"wav": "audio", "emo": "label", "spk": "speaker"})
emobox["id"] = [k.split("-", 1)[1] for k in emobox.key]
parquet["audio"] = [a["path"] for a in parquet.audio]


def column(table, name):
    values = [None if v is None or (not isinstance(v, dict) and pd.isna(v)) else v for v in table[name]]
    if name == "soft_label":
        return [json.loads(v) if isinstance(v, str) else v for v in values]
    return values


ok = True
for name in "id audio text label soft_label speaker gender session dialogue turn valence activation dominance split".split():
    same = all(column(jsonl, name) == column(t, name) for t in (csv, parquet, emobox, swift))
    ok &= same
    print(json.dumps({"column": name, "rows": len(jsonl), "ok": same}))
sys.exit(0 if ok else 1)
