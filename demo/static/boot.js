// Runs before the collector: the collector's stub, the consent that the visitor
// gave earlier, and an eye on what the collector sends, for the panel.
(function () {
  "use strict";
  var queue = (window.datafly = window.datafly || []);
  ["track", "page", "identify", "group", "consent", "reset", "ready"].forEach(function (name) {
    if (!queue[name]) {
      queue[name] = function () {
        queue.push([name].concat(Array.prototype.slice.call(arguments)));
      };
    }
  });

  // Consent goes first, so that the page view itself carries it.
  try {
    var chosen = JSON.parse(localStorage.getItem("kp-consent"));
    if (chosen) window.datafly.consent({ categories: chosen });
  } catch (e) {
    localStorage.removeItem("kp-consent");
  }

  // The panel "What this page sent" looks at the collector's requests as they
  // leave. A shop of a customer has no need of this.
  window.kpSent = [];
  function note(url, body) {
    if (String(url).indexOf("/v1/batch") < 0 || typeof body !== "string") return;
    JSON.parse(body).batch.forEach(function (event) {
      window.kpSent.push(event);
      window.dispatchEvent(new CustomEvent("kp-sent", { detail: event }));
    });
  }
  var fetch = window.fetch;
  window.fetch = function (url, init) {
    try {
      note(url, init && init.body);
    } catch (e) {
      // Not a batch of the collector.
    }
    return fetch.apply(this, arguments);
  };
  var beacon = navigator.sendBeacon;
  navigator.sendBeacon = function (url, body) {
    if (body && body.text) {
      body.text().then(function (text) {
        note(url, text);
      }, function () {});
    }
    return beacon.apply(this, arguments);
  };
})();
