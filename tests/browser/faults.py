"""What can be wrong with how a page looks: scripts that return what they find."""

from __future__ import annotations

_OUTER = ".map(one => one.outerHTML.slice(0, 120))"
_COLOUR = 'getComputedStyle(one)[one.matches("text") ? "fill" : "color"]'

WIDE = "() => Math.max(0, document.documentElement.scrollWidth - window.innerWidth)"

# What people follow or press, and cannot see without being told that there is more: a link may lie
# behind the edge of what shows by a shade that it scrolls, and a button may not.
CUT = """() => [...document.querySelectorAll("#content :is(a, button, select)")].filter(one => {
    if (!one.checkVisibility() || one.closest(".ag-unseen")) return false;
    const box = one.getBoundingClientRect();
    const is_cut = (left, right) => box.left < left - 1 || box.right > right + 1;
    for (let around = one.parentElement; around; around = around.parentElement) {
        const style = getComputedStyle(around);
        if (style.overflowX === "visible") continue;
        const edge = around.getBoundingClientRect();
        if (!is_cut(edge.left, edge.right)) continue;
        return one.matches(".ag-button") || !style.backgroundAttachment.includes("local");
    }
    return is_cut(0, window.innerWidth);
}).map(one => one.outerHTML.slice(0, 160))"""

# Where forced colours take the backgrounds away, only borders are left to be seen.
BORDERLESS = f"""() => [
        ...document.querySelectorAll(".ag-button, .ag-card, .ag-steps a, .ag-live select")
    ].filter(one => one.checkVisibility())
    .filter(one => parseFloat(getComputedStyle(one).borderTopWidth) < 1)
    {_OUTER}"""

# Words and signs in the colour of what is behind them.
UNSEEN = f"""() => {{
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = "Canvas";
    const canvas = getComputedStyle(probe).color;
    probe.remove();
    return [...document.querySelectorAll(".ag-svg text, .ag-icon, .ag-badge, .ag-button")]
        .filter(one => one.checkVisibility() && {_COLOUR} === canvas)
        {_OUTER};
}}"""

# A page that is a form shows its fields on paper as well.
CONTROLS = f"""() => document.querySelector(".ag form") ? [] : [
        ...document.querySelectorAll(`
            .ag-button, .ag-live, .ag-steps, .object-tools, .breadcrumbs, button, select,
            input:not([type=hidden]), #nav-sidebar, #header, #changelist-filter`)
    ].filter(one => one.checkVisibility())
    {_OUTER}"""

# Words too light for white paper.
PALE = f"""() => {{
    const brightness = (colour) => {{
        const often = {{ willReadFrequently: true }};
        const canvas = document.createElement("canvas").getContext("2d", often);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
        return 255 - (255 - (0.299 * red + 0.587 * green + 0.114 * blue)) * alpha / 255;
    }};
    const has_words = (one) =>
        [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    return [...document.querySelectorAll(".ag *, #result_list *, h1")]
        .filter(one => one.checkVisibility() && has_words(one) && brightness({_COLOUR}) > 150)
        {_OUTER};
}}"""

NOT_MIRRORED = """() => {
    const wrong = document.dir === "rtl" ? [] : ["the page"];
    for (const plot of document.querySelectorAll(".ag-plot")) {
        const ticks = [...plot.querySelectorAll(".ag-tick text")];
        const places = ticks.map(tick => tick.getBoundingClientRect().x);
        if (places.some((x, at) => at && x <= places[at - 1])) wrong.push("time runs backwards");
    }
    for (const one of document.querySelectorAll(".ag-sentence, .ag-card, .ag-table"))
        if (getComputedStyle(one).direction !== "rtl") wrong.push(one.outerHTML.slice(0, 120));
    return wrong;
}"""

MOVING = f"""() => [...document.querySelectorAll(".ag, .ag *")].filter(one => {{
        const style = getComputedStyle(one);
        return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0;
    }}){_OUTER}"""
