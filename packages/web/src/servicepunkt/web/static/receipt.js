// Prints the receipt once it stands there, in one piece; a browser in kiosk mode asks nothing (--kiosk-printing).
const MM = 96 / 25.4;
const MARGINS_MM = 6;
const SPARE_MM = 4;

function cut() {
  const strip = document.querySelector(".sp-receipt");
  const style = getComputedStyle(strip);
  const inside = strip.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
  const sheet = [...document.styleSheets].find((one) => one.href?.includes("/receipt.css"));
  const length = Math.ceil(inside / MM) + MARGINS_MM + SPARE_MM;
  sheet.insertRule(`@page { size: 80mm ${length}mm; margin: 3mm 4mm; }`, sheet.cssRules.length);
}

document.querySelector("[data-print]").addEventListener("click", () => print());
document.fonts.ready.then(() => {
  cut();
  print();
});
