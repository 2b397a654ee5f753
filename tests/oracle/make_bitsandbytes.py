"""Codes of bitsandbytes -> fixtures/bitsandbytes.json.

8-bit block-wise codes with its dynamic maps (block 256), and NF4 with double quantisation (block 64,
scales in blocks of 256), of f32 and bf16 values; both with a last block that is not full. 8-bit codes
come from its portable backend, which takes the nearest code as its GPU kernels do; its CPU library looks
codes up in a coarser table.

    python tests/oracle/make_bitsandbytes.py
"""

import json
from pathlib import Path

import bitsandbytes
import bitsandbytes.functional as bnb
import torch


def floats(tensor):
    return [float(v) for v in tensor.detach().float().flatten()]


def ints(tensor):
    return [int(v) for v in tensor.flatten()]


generator = torch.Generator().manual_seed(5)
signed, unsigned = bnb.create_dynamic_map(signed=True), bnb.create_dynamic_map(signed=False)


def blockwise(values, code):
    portable = torch._C.DispatchKeySet(torch._C.DispatchKey.CompositeExplicitAutograd)
    quantise = torch.ops.bitsandbytes.quantize_blockwise.default
    return quantise.redispatch(portable, values, code, 256)


def eight_bit(count):
    # magnitudes over five decades, as gradients have
    size = 10.0 ** (-4.5 * torch.rand(count, generator=generator))
    values = size * torch.randn(count, generator=generator).sign()
    codes, absmax = blockwise(values, signed)
    square_codes, square_absmax = blockwise(values * values, unsigned)
    return {"values": floats(values), "codes": ints(codes), "absmax": floats(absmax),
            "square_codes": ints(square_codes), "square_absmax": floats(square_absmax)}


def nf4(rows, columns, dtype):
    weight = (0.02 * torch.randn(rows, columns, generator=generator)).to(dtype)
    codes, state = bnb.quantize_4bit(weight, blocksize=64, quant_type="nf4",
                                     compress_statistics=True)
    _, plain = bnb.quantize_4bit(weight, blocksize=64, quant_type="nf4")
    state.absmax, state.state2.absmax = blockwise(plain.absmax - state.offset, signed)
    back = bnb.dequantize_4bit(codes, state)
    return {"rows": rows, "columns": columns, "weight": floats(weight), "codes": ints(codes),
            "absmax": floats(plain.absmax), "scale_codes": ints(state.absmax),
            "scale_absmax": floats(state.state2.absmax), "offset": float(state.offset),
            "dequantised": floats(back), "dtype": str(dtype).removeprefix("torch.")}


fixture = {
    "versions": {"bitsandbytes": bitsandbytes.__version__, "torch": torch.__version__},
    "signed_map": floats(signed), "unsigned_map": floats(unsigned),
    "nf4_map": floats(bnb.get_4bit_type("nf4", device="cpu")),
    "eight_bit": eight_bit(600),
    "nf4": [nf4(6, 128, torch.float32), nf4(6, 128, torch.bfloat16), nf4(5, 97, torch.float32),
            nf4(3, 75, torch.bfloat16)],
}
path = Path(__file__).parent / "fixtures" / "bitsandbytes.json"
path.write_text(json.dumps(fixture) + "\n")
print(path, path.stat().st_size, "bytes")
