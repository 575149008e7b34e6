"""SkinGPT-4's and MiniGPT-4's published parts into one transformers folder: `python -m pipeline.convert --help`.

Reading order: `architecture` (what is built), `names` (which tensor goes where), `sources` (the files, lazily),
`skingpt4` (the plan, then the shards), `templates` (how the models are spoken to). Names and shapes were read in the
public sources of Vision-CAIR/MiniGPT-4 and JoshuaChou2018/SkinGPT-4; no code of theirs is here.
"""
