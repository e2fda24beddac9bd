//! An image as an archive: the image layout of the Open Container Initiative, version 1.0, in a
//! tar. containerd, Podman, Skopeo and Docker (from 25 on) take it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::tar::Tar;

/// Nobody's user, as whom a container runs that is not told otherwise.
const USER: u32 = 65532;
const TYPE: &str = "application/vnd.oci.image";

/// The archive of an image that has this program, and nothing else.
pub(super) fn archive(program: &[u8], architecture: &str, version: &str) -> Result<Vec<u8>> {
    let mut archive = Tar::default();
    archive.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#);
    archive.folder("blobs/", 0o755, 0);
    archive.folder("blobs/sha256/", 0o755, 0);
    let layer = root(program);
    let layer = blob(&mut archive, &format!("{TYPE}.layer.v1.tar"), &layer)?;
    let config = config(&layer, architecture, version);
    let config = blob(&mut archive, &format!("{TYPE}.config.v1+json"), &bytes(&config))?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": format!("{TYPE}.manifest.v1+json"),
        "config": config,
        "layers": [layer],
    });
    let mut manifest = blob(&mut archive, &format!("{TYPE}.manifest.v1+json"), &bytes(&manifest))?;
    manifest["platform"] = json!({"os": "linux", "architecture": architecture});
    manifest["annotations"] = json!({
        "org.opencontainers.image.ref.name": version,
        // By this name containerd and Kubernetes know it.
        "io.containerd.image.name": format!("docker.io/library/steelyard:{version}"),
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": format!("{TYPE}.index.v1+json"),
        "manifests": [manifest],
    });
    archive.file("index.json", 0o644, &bytes(&index));
    Ok(archive.finish())
}

/// The layer of an image that was unpacked into a folder.
pub(super) fn layer(folder: &Path) -> Result<PathBuf> {
    let index = read(&folder.join("index.json"))?;
    let manifest = read(&blob_of(folder, &index["manifests"][0])?)?;
    blob_of(folder, &manifest["layers"][0])
}

fn blob_of(folder: &Path, descriptor: &Value) -> Result<PathBuf> {
    let digest = descriptor["digest"].as_str().context("a digest")?;
    Ok(folder.join("blobs").join(digest.replace(':', "/")))
}

fn read(file: &Path) -> Result<Value> {
    let text = std::fs::read(file).with_context(|| file.display().to_string())?;
    Ok(serde_json::from_slice(&text)?)
}

/// What containers find as `/`.
fn root(program: &[u8]) -> Vec<u8> {
    let mut root = Tar::default();
    root.folder("etc/", 0o755, 0);
    root.file("etc/passwd", 0o644, users().as_bytes());
    root.folder("var/", 0o755, 0);
    root.folder("var/lib/", 0o755, 0);
    root.folder("var/lib/steelyard/", 0o700, USER);
    root.file("steelyard", 0o755, program);
    root.finish()
}

/// `/etc/passwd`: who there is.
pub(super) fn users() -> String {
    format!("root:x:0:0::/:\nsteelyard:x:{USER}:{USER}::/var/lib/steelyard:\n")
}

pub(super) fn config(layer: &Value, architecture: &str, version: &str) -> Value {
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "Entrypoint": ["/steelyard"],
            "Env": ["PATH=/"],
            "Labels": {
                "org.opencontainers.image.title": "steelyard",
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        },
        // Not compressed: what is packed is what it is called by.
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        "history": [{"created_by": "cargo xtask image"}],
    })
}

/// Adds a blob; what refers to it.
fn blob(archive: &mut Tar, kind: &str, content: &[u8]) -> Result<Value> {
    let digest = digest(content)?;
    archive.file(&format!("blobs/sha256/{digest}"), 0o644, content);
    Ok(json!({
        "mediaType": kind, "digest": format!("sha256:{digest}"), "size": content.len(),
    }))
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// SHA-256, by the program that each Linux has for it.
fn digest(content: &[u8]) -> Result<String> {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("sha256sum")?;
    child.stdin.take().context("its input is piped")?.write_all(content)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "sha256sum: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split_whitespace().next().context("a digest")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untar(archive: &[u8], arguments: &[&str], folder: &Path) -> String {
        std::fs::create_dir_all(folder).unwrap();
        let file = folder.join("archive.tar");
        std::fs::write(&file, archive).unwrap();
        let output =
            Command::new("tar").args(arguments).arg(&file).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn an_archive_has_what_it_says() {
        let folder = std::env::temp_dir().join(format!("steelyard-image-{}", std::process::id()));
        let made = archive(b"program", "arm64", "1.2.3").unwrap();
        assert_eq!(made, archive(b"program", "arm64", "1.2.3").unwrap(), "the same again");
        untar(&made, &["-xf"], &folder);
        let blobs: Vec<_> = std::fs::read_dir(folder.join("blobs/sha256")).unwrap().collect();
        assert_eq!(blobs.len(), 3);
        for blob in blobs {
            let blob = blob.unwrap();
            let content = std::fs::read(blob.path()).unwrap();
            assert_eq!(*digest(&content).unwrap(), *blob.file_name().to_string_lossy());
        }
        let index = read(&folder.join("index.json")).unwrap();
        assert_eq!(index["manifests"][0]["platform"]["architecture"], "arm64");
        let layer = std::fs::read(layer(&folder).unwrap()).unwrap();
        let listed = untar(&layer, &["-tvf"], &folder.join("layer"));
        assert!(
            listed.lines().any(|it| it.starts_with("-rwxr-xr-x 0/0") && it.ends_with(" steelyard"))
        );
        assert!(listed.lines().any(|it| it.starts_with("drwx------ 65532/65532")), "{listed}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
