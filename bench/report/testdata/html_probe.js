(() => {
	const shown = e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0; };
	const texts = root => {
		const found = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
		while (walker.nextNode()) {
			const node = walker.currentNode;
			if (!node.data.trim() || node.parentElement.closest("title, style")) continue;
			const range = document.createRange();
			range.selectNodeContents(node);
			for (const r of range.getClientRects())
				if (r.width > 0 && r.height > 0) found.push({ text: node.data.trim(), element: node.parentElement, r });
		}
		return found;
	};
	const overlaps = [], clipped = [];
	for (const figure of document.querySelectorAll("figure")) {
		const all = texts(figure);
		all.forEach((a, i) => {
			if (a.r.left < -1 || a.r.right > innerWidth + 1) clipped.push(a.text);
			for (const b of all.slice(i + 1)) {
				const width = Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left);
				const height = Math.min(a.r.bottom, b.r.bottom) - Math.max(a.r.top, b.r.top);
				// Lines of a paragraph may touch.
				if (width > 1 && height > 4) overlaps.push(a.text + " | " + b.text);
			}
		});
	}
	const parse = text => { const n = text.match(/[\d.]+/g).map(Number); return { rgb: n.slice(0, 3), alpha: n[3] ?? 1 }; };
	const luminance = rgb => {
		const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = element => {
		for (let e = element; e; e = e.parentElement) {
			const c = parse(getComputedStyle(e).backgroundColor);
			if (c.alpha === 1) return c.rgb;
		}
		return [255, 255, 255];
	};
	const faint = new Set();
	for (const { text, element } of texts(document.body)) {
		const style = getComputedStyle(element);
		const [a, b] = [parse(element.closest("svg") ? style.fill : style.color).rgb, behind(element)].map(luminance);
		const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (contrast < 4.5) faint.add(text + ": " + contrast.toFixed(2));
	}
	const plots = [...document.querySelectorAll("svg.plot, svg.key")];
	return {
		Height: document.documentElement.scrollHeight,
		Overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
		Plots: plots.filter(shown).length,
		Empty: plots.filter(e => !shown(e)).length,
		Resources: performance.getEntriesByType("resource").map(e => e.name),
		Overlaps: overlaps, Clipped: clipped, Faint: [...faint],
		Scripts: [...document.querySelectorAll("*")].filter(e => e.localName === "script" || [...e.attributes].some(a => /^on/i.test(a.name))).length,
		Background: getComputedStyle(document.body).backgroundColor,
	};
})()
