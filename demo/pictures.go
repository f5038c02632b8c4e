package demo

import (
	"html/template"
	"strings"
)

// picture gives the drawing of a product as inline SVG. With a label it is an
// image for everybody; without one it is decoration beside the product's name.
func picture(sku, label string) template.HTML {
	role := `aria-hidden="true" focusable="false"`
	if label != "" {
		role = `role="img" aria-label="` + template.HTMLEscapeString(label) + `"`
	}
	//nolint:gosec // The drawings are constants of this file and the label is escaped.
	return template.HTML(`<svg class="pic" viewBox="0 24 240 144" ` + role + `>` + drawings[sku] + `</svg>`)
}

const shadow = `<ellipse cx="120" cy="147" rx="57" ry="9" fill="#e2dacb"/>`

// drawings are by SKU, on a field of 240 by 144 from y = 24 on; they stand on y = 147.
var drawings = map[string]string{
	"M-1": shadow +
		`<path d="M150 84c8-4 20-1 20 13 0 15-12 22-21 20" fill="none" stroke="#c9b79c" stroke-width="10" stroke-linecap="round"/>` +
		`<path d="M80 62v66a17 17 0 0 0 17 17h37a17 17 0 0 0 17-17V62z" fill="#c9b79c"/>` +
		`<path d="M80 62v21q35 11 71 0V62z" fill="#7d8a74"/>` +
		`<ellipse cx="115.5" cy="62" rx="35.5" ry="8" fill="#5c6b58"/><ellipse cx="115.5" cy="63" rx="29" ry="5.5" fill="#4a3227"/>` +
		`<circle cx="98" cy="110" r="2" fill="#a8967a"/><circle cx="131" cy="121" r="2.4" fill="#a8967a"/><circle cx="118" cy="100" r="1.5" fill="#a8967a"/>`,
	"M-2": shadow +
		`<ellipse cx="120" cy="140" rx="52" ry="8" fill="#b9a88c"/><ellipse cx="120" cy="138" rx="46" ry="6" fill="#c9b79c"/>` +
		`<path d="M145 101c7-3 16 0 15 9-1 10-10 13-17 12" fill="none" stroke="#7d8a74" stroke-width="7" stroke-linecap="round"/>` +
		`<path d="M90 90l4 36a15 15 0 0 0 15 13h22a15 15 0 0 0 15-13l4-36z" fill="#7d8a74"/>` +
		`<ellipse cx="120" cy="90" rx="30" ry="6.5" fill="#5c6b58"/><ellipse cx="120" cy="91" rx="24" ry="4.5" fill="#3b2418"/><ellipse cx="116" cy="90.5" rx="11" ry="2" fill="#9a6b42"/>`,
	"M-3": shadow +
		`<path d="M150 82c9-3 20 1 19 14-1 15-12 21-20 19" fill="none" stroke="#2f4538" stroke-width="7" stroke-linecap="round"/>` +
		`<path d="M82 64v76a6 6 0 0 0 6 6h56a6 6 0 0 0 6-6V64z" fill="#fdfbf5"/><path d="M138 64h12v76a6 6 0 0 1-6 6h-8z" fill="#ece5d6"/>` +
		`<ellipse cx="116" cy="64" rx="34" ry="7.5" fill="#2f4538"/><ellipse cx="116" cy="65" rx="29" ry="5.3" fill="#e9e2d2"/>` +
		`<path d="M116 128V98m0 30l-11-9m11 0l-9-8m9 8l11-8m-11 0l9-9" fill="none" stroke="#2f4538" stroke-width="3" stroke-linecap="round"/>`,
	"T-9": tin("#8c4a35", "#6f3526", "#f3e8d5", leaf),
	"T-8": tin("#6f8f5f", "#556f49", "#f4f0de", leaf),
	"T-7": tin("#2f4538", "#22342a", "#e6ecdf", pine),
	"K-1": shadow +
		`<path d="M92 78c0-34 56-34 56 0" fill="none" stroke="#c08a52" stroke-width="7" stroke-linecap="round"/>` +
		`<path d="M152 100l26-14 5 7-24 26z" fill="#86402c"/>` +
		`<path d="M76 136c0-34 16-56 44-56s44 22 44 56c0 6-4 10-10 10H86c-6 0-10-4-10-10z" fill="#a3523a"/>` +
		`<path d="M94 82q26-10 52 0-4 6-26 6t-26-6z" fill="#86402c"/><circle cx="120" cy="73" r="5" fill="#c08a52"/>` +
		`<path d="M90 128c1-14 6-25 13-32" fill="none" stroke="#c47a62" stroke-width="4" stroke-linecap="round"/>`,
	"K-2": shadow +
		`<path d="M92 100c-18-4-14 34-33 37" fill="none" stroke="#2c3a3c" stroke-width="7" stroke-linecap="round"/>` +
		`<path d="M148 88c14-10 24-2 22 16-1 9-4 17-8 24" fill="none" stroke="#b98a52" stroke-width="8" stroke-linecap="round"/>` +
		`<path d="M96 76l-10 60c-1 6 3 10 9 10h52c6 0 10-4 9-10l-10-60z" fill="#2c3a3c"/>` +
		`<ellipse cx="121" cy="76" rx="25" ry="6" fill="#415154"/><circle cx="121" cy="66" r="5.5" fill="#b98a52"/>`,
	"K-4": shadow +
		`<path d="M82 120c-14-4-12-26-26-34l8-5c16 4 18 18 26 24z" fill="#7d8a74"/>` +
		`<path d="M158 96c18-12 32 0 27 15-4 12-16 18-28 19" fill="none" stroke="#7d8a74" stroke-width="8" stroke-linecap="round"/>` +
		`<path d="M76 112c0-24 18-38 44-38s44 14 44 38c0 20-12 34-26 34h-36c-14 0-26-14-26-34z" fill="#7d8a74"/>` +
		`<ellipse cx="120" cy="76" rx="24" ry="6" fill="#5c6b58"/><circle cx="120" cy="66" r="6" fill="#7d8a74"/>` +
		`<circle cx="100" cy="116" r="2" fill="#5c6b58"/><circle cx="134" cy="104" r="1.6" fill="#5c6b58"/>`,
	"L-1": shadow +
		`<path d="M78 52h84v10h-5v-3H83v3h-5z" fill="#8b6d55"/>` +
		`<path d="M87 58h66v86q-33 6-66 0z" fill="#ece2d0"/><path d="M108 58v89M131 58v89" stroke="#ddd0ba" stroke-width="1.5"/>` +
		`<path d="M87 118q33 5 66 0v6q-33 5-66 0zM87 129q33 5 66 0v3q-33 5-66 0z" fill="#7d8a74"/>`,
	"L-2": shadow +
		`<path d="M104 46c2-22 30-22 32 0" fill="none" stroke="#4b5a5c" stroke-width="4"/>` +
		`<path d="M102 46h36l4 26c8 4 18 6 24 6l-4 66q-42 7-84 0l-4-66c6 0 16-2 24-6z" fill="#5a6a6c"/>` +
		`<path d="M74 84l-14 8M166 84l14 8" stroke="#4b5a5c" stroke-width="4" stroke-linecap="round"/>` +
		`<path d="M98 98h44v22a8 8 0 0 1-8 8h-28a8 8 0 0 1-8-8z" fill="#4b5a5c"/><path d="M98 104h44" stroke="#75868a" stroke-width="1.5" stroke-dasharray="4 3"/>`,
	"L-3": shadow +
		`<path d="M92 146V88c0-34 44-38 46-6l1 14c6-12 26-10 22 6-3 12-18 20-19 30v14z" fill="#b9654a"/>` +
		`<path d="M104 70l30 30M97 84l42 42M94 102l44 44M128 72L95 105M138 84l-45 45M139 106l-38 38" stroke="#a3523a" stroke-width="1.5"/>` +
		`<path d="M88 132h58v14a4 4 0 0 1-4 4H92a4 4 0 0 1-4-4z" fill="#f3e8d5"/>`,
}

const (
	leaf = `<path d="M120 122c-11-7-11-22 0-31 11 9 11 24 0 31z" fill="#5d7a50"/><path d="M120 124V100" stroke="#f3e8d5" stroke-width="1.5"/>`
	pine = `<path d="M120 124V92m0 30l-9-7m9 0l-8-7m8 7l9-7m-9-1l7-6m-7 9l-7-9" fill="none" stroke="#2f4538" stroke-width="2.5" stroke-linecap="round"/>`
)

// tin draws a tea tin from the colours of its body, lid and label.
func tin(body, lid, label, sign string) string {
	return strings.NewReplacer("BODY", body, "LID", lid, "LABEL", label, "SIGN", sign).Replace(shadow +
		`<path d="M88 66h64v74a6 6 0 0 1-6 6H94a6 6 0 0 1-6-6z" fill="BODY"/>` +
		`<path d="M141 66h11v74a6 6 0 0 1-6 6h-5z" fill="LID" opacity=".55"/>` +
		`<rect x="84" y="50" width="72" height="18" rx="5" fill="LID"/>` +
		`<rect x="99" y="84" width="42" height="46" rx="3" fill="LABEL"/>SIGN`)
}
