// What the portal's own pages lack for people who use no mouse, or listen to a page (WCAG 2.2). It stands behind the
// portal's scripts, so that it comes after them when the page has loaded.
(($) => {
  "use strict";

  // jQuery UI makes a tab of an item of the menu and leaves a link inside it: two controls in one. Here it is a link.
  $.fn.tabs = function (method, option, index) {
    const links = this.find("ul.navbar-nav.mr-auto a").get();
    const show = (chosen) => links.forEach((link) => {
      link.setAttribute("aria-current", link === chosen);
      link.parentElement.classList.toggle("ui-state-active", link === chosen);
      document.querySelector(link.hash).hidden = link !== chosen;
    });
    if (method === "option") show(links[index]);
    else $(links).on("click", (event) => { event.preventDefault(); show(event.currentTarget); });
    return this;
  };

  $(window).on("load", () => {
    // the skin makes a stop of the keyboard of what holds the link
    $(".nav-item").on("click focusin focusout", () => $(".nav-item").removeAttr("tabindex"));

    // flags: a name instead of [nl], and the page says its new language
    $(".langicon").each((_, flag) => {
      flag.alt = new Intl.DisplayNames(flag.title, { type: "language" }).of(flag.title);
      flag.lang = flag.title;
      flag.setAttribute("role", "button");
    }).on("click", (event) => { document.documentElement.lang = event.currentTarget.title; });

    // buttons that are none in HTML
    $("[role=button]").not("a, button").attr("tabindex", 0).on("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.currentTarget.click(); }
    });

    // names: of what has only a picture; none of a picture beside its text
    $("[trspan][hidden]").removeAttr("hidden").addClass("sr-only");
    $(".nav-link img").attr("alt", "");
    $("#qr").attr({ role: "img", "aria-label": "QR" });
    $(".card a.nodecor").each((number, link) => {
      $(link).closest(".card").find(".card-footer p").attr("id", `kind-${number}`);
      link.setAttribute("aria-labelledby", `kind-${number}`);
    });

    // parts of the page
    $("#footer").attr("role", "contentinfo");
    if (!$("main").length) $("#wrap > .container").attr("role", "main");
  });
})(jQuery);
