"""How the embedded pack is made: one module and one recipe (YAML) per part, all on phantoms.

`python -m pipeline train pack` runs them in order. Every part writes a checkpoint it can resume from and
a log of its loss under ``.cache/training/<part>``, and its finished weights as fp16 safetensors into
``pipeline/packs/phantom``.
"""
