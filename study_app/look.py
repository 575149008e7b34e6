"""The little CSS that the theme in .streamlit/config.toml has no setting for."""

CSS = """<style>
/* Scale points and choices 47 px high instead of 34, and no narrower: a finger's width. */
.stApp [data-testid="stButtonGroup"] button{min-height:2.75rem;min-width:2.75rem}
/* The chosen one filled, also under the pointer. */
.stApp [data-testid="stButtonGroup"] button:is([aria-checked="true"],[aria-pressed="true"])
{background:currentColor!important}
.stApp [data-testid="stButtonGroup"] button:is([aria-checked="true"],[aria-pressed="true"]) p
{color:#fff;font-weight:600}
/* A small picture as wide as its place; "stretch" only shrinks large ones. */
.stApp [data-testid="stImage"] img{width:100%}
</style>"""
