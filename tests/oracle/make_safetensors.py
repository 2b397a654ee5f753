"""Fixtures of core/io made by the reference libraries, and what those make of Plumb's own files.

    make_safetensors.py                    writes tests/oracle/fixtures/io/
    make_safetensors.py describe FILE...   prints {tensor: {dtype, shape, values}} of the files
    make_safetensors.py config FOLDER      prints transformers' view of FOLDER/config.json
"""

import json
import pathlib
import sys

FIXTURES = pathlib.Path(__file__).parent / "fixtures" / "io"


def describe(paths):
    import safetensors

    tensors = {}
    metadata = {}
    for path in paths:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata.update(file.metadata() or {})
            for name in file.keys():
                tensor = file.get_tensor(name)
                tensors[name] = {
                    "dtype": str(tensor.dtype).removeprefix("torch."),
                    "shape": list(tensor.shape),
                    "values": tensor.double().flatten().tolist(),
                }
    return {"tensors": tensors, "metadata": metadata}


def config(folder):
    import transformers

    return transformers.AutoConfig.from_pretrained(folder).to_dict()


def make_tensors():
    import torch

    made = {}
    kinds = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"]
    for at, kind in enumerate(kinds):
        # Exact in every dtype here.
        values = torch.arange(6, dtype=torch.float64) * 0.5 + at
        values = values if kind.startswith(("f", "b")) else values.floor()
        made[f"of.{kind}"] = values.reshape(2, 3).to(getattr(torch, kind))
    made["of.bool"] = torch.tensor([True, False, True])
    made["scalar"] = torch.tensor(-1.5)
    made["empty"] = torch.zeros(0, 4)
    made["named.é"] = torch.tensor([7.0])
    return made


def make():
    import huggingface_hub
    import safetensors
    import safetensors.torch
    import torch
    import xxhash

    FIXTURES.mkdir(parents=True, exist_ok=True)
    versions = {
        "safetensors": safetensors.__version__,
        "torch": torch.__version__,
        "huggingface_hub": huggingface_hub.__version__,
        "xxhash": xxhash.VERSION,
    }
    single = FIXTURES / "all_dtypes.safetensors"
    safetensors.torch.save_file(make_tensors(), single, {"format": "pt", "note": "a \"quoted\" one"})
    sharded = FIXTURES / "sharded"
    sharded.mkdir(exist_ok=True)
    state = {f"layers.{i}.weight": torch.arange(16.0).reshape(4, 4) + i for i in range(5)}
    huggingface_hub.save_torch_state_dict(state, sharded, max_shard_size=128)
    hashes = {}
    for size in [0, 1, 3, 8, 9, 16, 17, 128, 129, 240, 241, 512, 1024, 5000]:
        hashes[size] = xxhash.xxh3_128_hexdigest(bytes(i * 131 % 256 for i in range(size)))
    expected = {"versions": versions, "all_dtypes": describe([single]), "xxh3_128": hashes}
    (FIXTURES / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def main():
    if len(sys.argv) == 1:
        make()
    elif sys.argv[1] == "describe":
        print(json.dumps(describe(sys.argv[2:])))
    elif sys.argv[1] == "config":
        print(json.dumps(config(sys.argv[2])))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
