"""Phantoms: drawn photographs of skin whose condition, mask, concepts and caption are known.

The word is medical imaging's own: an object of known content, to test and to teach an instrument.
Phantoms are drawn here from a seed and licensed with the code (Apache-2.0); no photograph of a person
went into them.
"""

from pipeline.phantom.draw import HELD_OUT, LABELS, SKIN_TYPES, STRANGE, Phantom, draw

__all__ = ["HELD_OUT", "LABELS", "SKIN_TYPES", "STRANGE", "Phantom", "draw"]
