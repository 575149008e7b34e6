"""What previews cost: none, the VAE's at half the size (as shipped), a TAESD's at the whole.

No TAESD is here: one of its width and depth with random weights is measured. Its previews are noise; its time is that
of a trained one. `python -m benchmarks.previews` counts the operations at Stable Diffusion 1.5's full shape instead,
on the meta device, which holds no weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.levers import Lever, Work, finished

if TYPE_CHECKING:
    from diffusers import AutoencoderTiny
    from PIL import Image

    from pipeline.skingen import SkinGEN


def taesd(stages: int) -> AutoencoderTiny:
    """madebyollin/taesd's width and blocks (four stages: 8 pixels a latent) for a VAE of ``stages``."""
    import torch
    from diffusers import AutoencoderTiny

    torch.manual_seed(0)
    return AutoencoderTiny(
        encoder_block_out_channels=(64,) * stages,
        decoder_block_out_channels=(64,) * stages,
        num_encoder_blocks=(1, *(3,) * (stages - 1)),
        num_decoder_blocks=(*(3,) * (stages - 1), 1),
    ).eval()


def preview_levers(skingen: SkinGEN) -> list[Lever]:
    """The product as shipped with each kind of previews; the finished pictures are the same."""
    generator = skingen.generator
    every, decoder = generator.preview_every, taesd(len(generator.pipe.vae.config.block_out_channels))

    def showing(every: int | None, previewer: Any) -> Callable[[Work], list[Image.Image]]:
        def drawn(work: Work) -> list[Image.Image]:
            before = generator.preview_every, generator.previewer
            generator.preview_every, generator.previewer = every, previewer
            try:
                return finished(generator.draw(work.photo, work.mask, list(work.orders)))
            finally:
                generator.preview_every, generator.previewer = before

        return drawn

    return [
        Lever("as shipped, without previews", showing(None, None)),
        Lever("previews by the VAE at half size: as shipped", showing(every, None)),
        Lever("previews by TAESD at full size, random weights", showing(every, decoder)),
    ]


def operations() -> dict[str, float]:
    """Of one preview of 512 pixels, multiplications and additions: name -> number."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.memory_plan import stable_diffusion_vae

    with torch.device("meta"):
        whole, half = torch.empty(1, 4, 64, 64), torch.empty(1, 4, 32, 32)
        vae, tiny = stable_diffusion_vae(), taesd(4)
    out = {}
    for name, model, latents in (
        ("VAE, 512 pixels", vae, whole),
        ("VAE, at half size: without the role previews", vae, half),
        ("TAESD, 512 pixels", tiny, whole),
    ):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model.decode(latents)
        out[name] = float(counter.get_total_flops())
    return out


def main() -> None:
    for name, number in operations().items():
        print(f"{name:48}{number / 1e9:8.0f} thousand million operations")


if __name__ == "__main__":
    main()
