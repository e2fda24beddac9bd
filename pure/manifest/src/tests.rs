//! Tests of the crate as a whole.

use crate::{Limits, Source, load, render};

#[test]
fn smoke() {
    let text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  annotations: {a.b/c: 'x'}\nspec:\n  ports:\n  - port: 80\n  clusterIP:\n---\na: [\n---\nkind: X\nx: \"a\n---\nx: {{ .Values.x }}: y\n";
    let source = Source::new("a.yaml", text.as_bytes());
    let loaded = load(&source, &Limits::default());
    println!("{:#?}", loaded.objects);
    println!("{}", render::text(&loaded.diagnostics, &[source], false));
    for p in [
        "",
        "spec",
        "spec.ports",
        "spec.ports[0]",
        "spec.ports[0].port",
        "spec.clusterIP",
        "metadata.annotations[\"a.b/c\"]",
        "x",
    ] {
        println!("{p} {}", loaded.objects[0].locate(&p.into()));
    }
}
