"""The ratios as a picture: a bar a job on a logarithmic scale, its range as a thin line."""
import html
import math

WIDTH, LEFT, RIGHT, ROW = 860, 330, 90, 24


def write(lines, path):
    greatest = max([float(line["ratio_max"]) for line in lines] + [2.0])
    least = min([float(line["ratio_min"]) for line in lines] + [1.0])
    low, high = math.floor(math.log2(least)), math.ceil(math.log2(greatest))
    x = lambda ratio: LEFT + (math.log2(ratio) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    height = 58 + ROW * len(lines)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
           'font-family="system-ui, sans-serif" font-size="13">',
           "<style>text{fill:#1f2328}.muted{fill:#59636e}.grid{stroke:#d1d9e0}.bar{fill:#0969da}"
           ".bar.slower{fill:#bc4c00}.range{stroke:#1f2328}"
           "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.muted{fill:#9198a1}"
           ".grid{stroke:#3d444d}.bar{fill:#4493f8}.bar.slower{fill:#db6d28}"
           ".range{stroke:#f0f6fc}}</style>",
           '<text x="8" y="20" font-weight="600">Plumb against its peers: how many times as fast</text>']
    for power in range(low, high + 1):
        at = x(2.0 ** power)
        out.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="46" y2="{height - 6}"/>')
        out.append(f'<text class="muted" x="{at:.1f}" y="40" text-anchor="middle">{2.0 ** power:g}</text>')
    for index, line in enumerate(lines):
        out.extend(bar(line, 52 + ROW * index, x))
    out.append("</svg>\n")
    path.write_text("\n".join(out))


def bar(line, y, x):
    ratio, least, greatest = (float(line[key]) for key in ("ratio", "ratio_min", "ratio_max"))
    begin, end = sorted((x(1.0), x(ratio)))
    label = f"{line['job']}, {line['model']}, {line['peer']}"
    label += " as shipped" if line["mode"] == "shipped" else ""
    middle = y + ROW / 2 - 3
    kind = "bar" if ratio >= 1 else "bar slower"
    return [f'<text x="8" y="{y + 14}">{html.escape(label)}</text>',
            f'<rect class="{kind}" x="{begin:.1f}" y="{y + 2}" width="{end - begin:.1f}" height="14"/>',
            f'<line class="range" x1="{x(least):.1f}" x2="{x(greatest):.1f}" y1="{middle}" y2="{middle}"/>',
            f'<text x="{max(x(greatest), end) + 6:.1f}" y="{y + 14}">{ratio:.2f}</text>']
