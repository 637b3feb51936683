// Markdown as models write it, made of elements and never of markup: what a model says cannot become a script.

const BLOCKS = [
  [/^```[^\n]*\n([\s\S]*?)(?:\n```[ \t]*(?:\n|$)|$)/, ([, code]) => element('pre', element('code', code))],
  [/^(#{1,6}) +(.+)(?:\n|$)/, ([, marks, text]) => element(marks.length < 3 ? 'h3' : 'h4', ...spans(text))],
  [/^(?:> ?.*(?:\n|$))+/, ([all]) => element('blockquote', ...spans(all.replace(/^> ?/gm, '').trimEnd()))],
  [/^(?:[ \t]*[-*+] +.*(?:\n(?!\s*[-*+] |\n).+)*(?:\n+(?=[ \t]*[-*+] )|\n|$))+/, ([all]) => element('ul', ...items(all, /^[ \t]*[-*+] +/gm))],
  [/^(?:\d+[.)] +.*(?:\n(?!\s*\d+[.)] |\n).+)*(?:\n+(?=\d+[.)] )|\n|$))+/, ([all]) => Object.assign(element('ol', ...items(all, /^\d+[.)] +/gm)), { start: parseInt(all, 10) })],
  [/^[^\n]+(?:\n(?!\n|```|#{1,6} |> |[-*+] |\d+[.)] )[^\n]+)*/, ([all]) => element('p', ...spans(all))],
];
const SPANS = /`([^`\n]+)`|\*\*([^*\n]+)\*\*|(?<![\w*])\*([^*\s][^*\n]*)\*(?![\w*])/g;

function element(tag, ...children) {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}

function* spans(text) {
  let end = 0;
  for (const { 0: all, 1: code, 2: strong, 3: stress, index } of text.matchAll(SPANS)) {
    yield text.slice(end, index);
    yield code ? element('code', code) : strong ? element('strong', strong) : element('em', stress);
    end = index + all.length;
  }
  yield text.slice(end);
}

const items = (text, mark) => text.split(mark).slice(1).map((item) => element('li', ...spans(item.trim())));

function* blocks(text) {
  for (let rest = text; (rest = rest.replace(/^\n+/, '')); ) {
    for (const [start, make] of BLOCKS) {
      const found = start.exec(rest);
      if (!found?.[0]) continue;
      yield make(found);
      rest = rest.slice(found[0].length);
      break;
    }
  }
}

/** Shows the text in `body`. As it grows, only the blocks that changed are made anew, so a selection stays. */
export function render(body, text) {
  if (body.shows === text) return;
  body.shows = text;
  const made = [...blocks(text)];
  made.forEach((block, index) => {
    const old = body.children[index];
    if (!old) body.append(block);
    else if (!old.isEqualNode(block)) old.replaceWith(block);
  });
  while (body.children.length > made.length) body.lastChild.remove();
}
