// A click on a frame makes it as wide as the picture, with all above it.
(function () {
	var left = 10, room = 1180, char = 6.6;
	var frames = Array.prototype.slice.call(document.querySelectorAll("#frames > g"));
	var details = document.getElementById("details");
	// As many of the last components as there is room for, the beginning of the last one, or nothing.
	function fit(name, fits) {
		if (name.length <= fits) return name;
		var last = name.replace(/^import /, ""), dot;
		while ((dot = last.indexOf(".")) >= 0 && dot < last.length - 1) {
			last = last.slice(dot + 1);
			if (last.length < fits) return "\u2026" + last;
		}
		return last.length <= fits ? last : fits >= 6 ? last.slice(0, fits - 1) + "\u2026" : "";
	}
	function draw(x0, w0, d0) {
		frames.forEach(function (g) {
			var x = +g.dataset.x, w = +g.dataset.w, below = +g.dataset.d < d0;
			var shown = below ? x <= x0 + 0.01 && x + w >= x0 + w0 - 0.01 : x >= x0 - 0.01 && x + w <= x0 + w0 + 0.01;
			g.style.display = shown ? "" : "none";
			if (!shown) return;
			var nx = below ? left : left + (x - x0) / w0 * room, nw = below ? room : w / w0 * room;
			var rect = g.querySelector("rect"), text = g.querySelector("text");
			rect.setAttribute("x", nx);
			rect.setAttribute("width", Math.max(nw - 0.4, 0.2));
			text.setAttribute("x", nx + 3);
			text.textContent = fit(text.dataset.name, Math.floor((nw - 6) / char));
		});
	}
	frames.forEach(function (g) {
		g.addEventListener("click", function () { draw(+g.dataset.x, +g.dataset.w, +g.dataset.d); });
		g.addEventListener("mouseenter", function () { details.textContent = g.querySelector("title").textContent; });
		g.addEventListener("mouseleave", function () { details.textContent = " "; });
	});
})();
