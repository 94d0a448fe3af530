"""Makes packages/datasets/test/fixtures/hf-audio.parquet: sound in Parquet as Hugging Face datasets store it, written by pyarrow.

    python tools/oracle/datasets_parquet.py packages/datasets/test/fixtures
"""
import io
import json
import sys
import wave

import pyarrow as pa
import pyarrow.parquet as pq


def clip(frames: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(8000)
        w.writeframes(b"".join(((i * 97) % 2001 - 1000).to_bytes(2, "little", signed=True) for i in range(frames)))
    return out.getvalue()


names = ["angry", "happy", "sad"]
audio = [{"bytes": clip(400 + 100 * i), "path": f"clip{i}.wav"} for i in range(5)]
table = pa.table(
    {
        "audio": pa.array(audio, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        "label": pa.array([0, 1, 2, 1, None], pa.int64()),
        "speaker_id": pa.array(["a", "b", "a", "b", "c"]),
        "valence": pa.array([1.5, 2.5, None, 4.0, 5.0], pa.float32()),
    }
)
features = {"audio": {"_type": "Audio"}, "label": {"_type": "ClassLabel", "names": names}}
table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
pq.write_table(table, f"{sys.argv[1]}/hf-audio.parquet", compression="zstd", row_group_size=2)
