// Elements. Whatever is put into one is a text or another element, never markup.

type Child = Node | string;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// fill puts children in the place of what an element holds.
export function fill(node: Element, ...children: Child[]): void {
  node.replaceChildren(...children);
}

// choice is a <select> with its label.
export function choice(label: string, options: [value: string, text: string][], changed: (value: string) => void): {
  label: HTMLLabelElement;
  select: HTMLSelectElement;
} {
  const select = el("select");
  for (const [value, text] of options) {
    select.append(el("option", { value }, text));
  }
  select.addEventListener("change", () => {
    changed(select.value);
  });
  return { label: el("label", {}, label + " ", select), select };
}

export function button(text: string, pressed: () => void, about = ""): HTMLButtonElement {
  const node = el("button", { type: "button" }, text);
  if (about !== "") {
    node.setAttribute("aria-label", about);
  }
  node.addEventListener("click", pressed);
  return node;
}

// inner is the width that a box has for what is in it.
export function inner(box: HTMLElement): number {
  const { paddingLeft, paddingRight } = getComputedStyle(box);
  return Math.floor(box.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight));
}
