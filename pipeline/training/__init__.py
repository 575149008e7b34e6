"""How the embedded pack is made: one module and one recipe (YAML) per part, all on phantoms.

`python -m pipeline train pack` runs those that are out of date, several side by side. Every part keeps checkpoints it
can go on from and logs of its loss under ``.cache/training/<pack>/<part>-<key>``, and writes its finished weights as
fp16 safetensors into ``pipeline/packs/phantom``.
"""
