"""The little CSS that the theme in .streamlit/config.toml has no setting for."""

CSS = """<style>
/* Scale points and choices 47 px high instead of 34, and no narrower: a finger's width. */
.stApp [data-testid="stButtonGroup"] button{min-height:2.75rem;min-width:2.75rem}
/* The chosen one filled, also under the pointer. */
.stApp [data-testid="stButtonGroup"] button:is([aria-checked="true"],[aria-pressed="true"])
{background:currentColor!important}
.stApp [data-testid="stButtonGroup"] button:is([aria-checked="true"],[aria-pressed="true"]) p
{color:#fff;font-weight:600}
/* The tools above a chart offer its numbers as a file, past the audit. */
.stApp .stFullScreenFrame:has([data-testid="stVegaLiteChart"]) [data-testid="stElementToolbar"]{display:none}
/* Tables of foreign text, drawn like Streamlit's: see `researcher/plain_table.py`. */
.stApp table.plain_table{width:100%;border-collapse:collapse;margin:0;font-size:.875rem;line-height:1.5}
.stApp table.plain_table :is(th,td){padding:.25rem .375rem;text-align:start;vertical-align:top;border:0;
 border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent)}
.stApp table.plain_table th{font-weight:400;color:color-mix(in srgb,currentColor 75%,transparent)}
.stApp table.plain_table td.long{overflow-wrap:anywhere}
/* Tables fit a phone: what scrolls sideways can neither be reached by keyboard nor be seen as more. */
@media (max-width:640px){.stApp :is([data-testid="stTable"],table.plain_table) :is(th,td){
  padding:.25rem .15rem!important; min-width:2rem}
 .stApp :is([data-testid="stTable"],table.plain_table) :is(th,td),.stApp [data-testid="stTable"] :is(th,td) *{
  font-size:.75rem; white-space:normal!important; overflow-wrap:anywhere}
 .stApp :is([data-testid="stTable"],table.plain_table) th,.stApp [data-testid="stTable"] th *{overflow-wrap:normal}}
/* A table too wide for a phone comes in two forms. */
@media (max-width:640px){.stApp [class*="st-key-desk_"]{display:none}}
@media (min-width:641px){.stApp [class*="st-key-phone_"]{display:none}}
/* A field that has the focus: Streamlit only darkens its border a little. */
.stApp :is(textarea,input[type="text"],input[type="number"],input[type="password"]):focus-visible
{outline:2px solid currentColor;outline-offset:-2px;border-radius:.375rem}
/* A small picture as wide as its place; "stretch" only shrinks large ones. */
.stApp [data-testid="stImage"] img{width:100%}
/* "Show 10" on one line in the place of a small picture. */
.stApp [class*="st-key-uncover_offered"] button{padding-inline:.4rem}
/* Pages written from right to left, each paragraph in the direction of its own letters: see `layout.left_to_right`. */
[dir="rtl"] .stApp :is(p,li,h1,h2,h3){unicode-bidi:plaintext}
[dir="rtl"] .stApp [class*="st-key-ltr_"]{direction:ltr}
/* A slider begins where the browser's language does, not the page's: see `page_language`. */
[data-sliders="rtl"] .stApp [class*="st-key-slider_"]{direction:rtl}
[data-sliders="ltr"] .stApp [class*="st-key-slider_"]{direction:ltr}
[data-sliders="rtl"] .stApp [data-testid="stSlider"] [role="group"]>div>div:first-child{transform:scaleX(-1)}
[dir="rtl"] .stApp li{margin-inline:1.15em 0!important;padding-inline:.3em 0!important}
[dir="rtl"] .stApp [data-variant="segmented_control"]{margin-inline:0 -1px;border-radius:0}
[dir="rtl"] .stApp [data-variant="segmented_control"]:first-child
{border-start-start-radius:.375rem;border-end-start-radius:.375rem}
[dir="rtl"] .stApp [data-variant="segmented_control"]:last-child
{margin-inline:0;border-start-end-radius:.375rem;border-end-end-radius:.375rem}
</style>"""
