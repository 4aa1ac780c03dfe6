// Ticks a whole page of a list at once and says how many are ticked. Without
// it each box is ticked by hand.
for (const all of document.querySelectorAll('[data-all]')) {
  const form = all.form;
  const boxes = [...form.querySelectorAll(`input[name="${all.dataset.all}"]`)];
  const selected = form.querySelector('[data-selected]');
  const count = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
    if (selected) {
      selected.hidden = ticked === 0;
      selected.querySelector('output').textContent = ticked;
    }
  };
  all.hidden = boxes.length === 0;
  all.addEventListener('change', () => {
    for (const box of boxes) box.checked = all.checked;
    count();
  });
  form.addEventListener('change', count);
  count();
}
