// The answer goes back to the platform by itself; without JavaScript by its button.
document.querySelector("[data-return]").requestSubmit();
