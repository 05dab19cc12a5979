// Before the first paint: the theme and the language that this browser was given.
"use strict";
(() => {
  const kept = (name) => {
    try { return localStorage.getItem(`leadline.${name}`); } catch { return null; }
  };
  const theme = kept("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const language = kept("language") || (navigator.language || "en").slice(0, 2);
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
})();
