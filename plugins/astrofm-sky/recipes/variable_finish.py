"""Make the file that ships of a run of ``variable_tiny.toml``: half precision, and a card that says what it learned from.

    python plugins/astrofm-sky/recipes/variable_finish.py --run runs/variable-tiny -o variable-tiny.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

from astrofm.models import Model
from astrofm.registry import cards

NOTES = ("Learned from 38 simulated classes of variable stars, with their truth, and from real light curves of ASAS, EROS, "
         "Hipparcos, OGLE and ZTF without labels. It gives embeddings and no labels. Stars of fewer than ten good points "
         "have no period; wavelengths of bands come from the instrument.")


def main() -> None:
    """Save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    made = Model.load(options.run / "model.safetensors")
    learned = [name for name in made.about["provenance"]["recipe"]["instruments"] if name in cards("instruments")]
    model = Model(made.encoder, made.aligner, made.heads, card={**made.about, "instruments": learned, "notes": NOTES})
    model.save(options.output, overwrite=True, dtype="float16")
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB, SHA-256 {Model.load(options.output).sha256}")


if __name__ == "__main__":
    main()
