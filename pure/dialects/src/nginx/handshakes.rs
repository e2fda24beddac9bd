//! How handshakes are held where no TLSOption says it: what the ConfigMap has of `ssl-` and the
//! like. What rustls does not have is named, and what is left is offered.

use std::sync::Arc;

use steelyard_model::routing::tls::{NGINX_POLICY, Resumption, TlsPolicy, TlsVersion};
use steelyard_model::{NginxHandshakes, Severity};

use super::Reading;
use crate::codes;
use crate::suites::{GROUPS, SUITES, SUITES_OF_1_3};

/// Versions as nginx calls them; those that are not spoken have none.
const VERSIONS: [(&str, Option<TlsVersion>); 6] = [
    ("SSLv2", None),
    ("SSLv3", None),
    ("TLSv1", None),
    ("TLSv1.1", None),
    ("TLSv1.2", Some(TlsVersion::V1_2)),
    ("TLSv1.3", Some(TlsVersion::V1_3)),
];
/// Words of OpenSSL for suites of which all that are to be had are some.
const ALL: [&str; 5] = ["ALL", "COMPLEMENTOFDEFAULT", "DEFAULT", "HIGH", "TLSv1.2"];

impl Reading<'_> {
    pub(super) fn handshakes(&mut self) -> NginxHandshakes {
        let plain = TlsPolicy::plain();
        let alpn = match self.boolean("use-http2") {
            Some(false) => vec!["http/1.1".into()],
            _ => plain.alpn.clone(),
        };
        let resumes = match self.boolean("ssl-session-tickets").unwrap_or(false) {
            true => Resumption::Tickets,
            false => Resumption::Kept,
        };
        let policy = TlsPolicy {
            id: NGINX_POLICY.into(),
            versions: self.versions().unwrap_or(plain.versions),
            ciphers: self.ciphers().unwrap_or_default(),
            groups: self.groups().unwrap_or_default(),
            alpn,
            is_strict: self.boolean("ssl-reject-handshake").unwrap_or(false),
            resumes,
            ..plain
        };
        let staples = self.boolean("enable-ocsp").unwrap_or(false);
        NginxHandshakes { policy: Arc::new(policy), staples }
    }

    /// Says of words of a list that there is nothing like them here.
    fn lacks(&mut self, key: &str, words: &[&str], help: &str) {
        if !words.is_empty() {
            let words: Vec<String> = words.iter().map(|it| format!("`{it}`")).collect();
            let message = format!("`{key}`: {} is not to be had here", words.join(", "));
            self.say(Severity::Warning, codes::FIELD_NOT_HONOURED, key, message, help);
        }
    }

    /// What a list comes to: parts that are read, and whether any was written. None is all of them.
    fn parts<T>(
        &mut self,
        key: &str,
        separators: [char; 3],
        read: impl Fn(&str) -> Option<T>,
        help: &str,
    ) -> Option<Vec<T>> {
        let written = self.data.get(key).map(|it| it.trim()).filter(|it| !it.is_empty())?;
        let words = written.split(separators).filter(|it| !it.is_empty());
        let (mut found, mut lacking) = (Vec::new(), Vec::new());
        for word in words {
            match read(word) {
                Some(it) => found.push(it),
                None => lacking.push(word),
            }
        }
        self.lacks(key, &lacking, help);
        (!found.is_empty()).then_some(found)
    }

    fn versions(&mut self) -> Option<(TlsVersion, TlsVersion)> {
        let of = |word: &str| VERSIONS.iter().find(|(name, _)| *name == word)?.1;
        let found = self.parts("ssl-protocols", [' ', '\t', '\n'], of, "write TLSv1.2 TLSv1.3")?;
        Some((*found.iter().min()?, *found.iter().max()?))
    }

    fn groups(&mut self) -> Option<Vec<Arc<str>>> {
        if self.data.get("ssl-ecdh-curve").is_some_and(|it| it.trim() == "auto") {
            return None;
        }
        let of = |word: &str| GROUPS.iter().find(|(name, _)| *name == word).map(|it| it.1.into());
        let help = "write X25519:prime256v1:secp384r1, or auto";
        self.parts("ssl-ecdh-curve", [':', ' ', ','], of, help)
    }

    /// Suites by a list of OpenSSL's: in turn each word adds those that it names, or with `!` or
    /// `-` before it takes them away.
    fn ciphers(&mut self) -> Option<Vec<Arc<str>>> {
        let key = "ssl-ciphers";
        let help = "TLS 1.3, and ECDHE with AES-GCM or ChaCha20-Poly1305, are: write their names \
                    as OpenSSL has them";
        let words = self.parts(key, [':', ' ', ','], |it| Some(it.to_owned()), help)?;
        let mut kept: Vec<&str> = Vec::new();
        let (mut killed, mut lacking) = (Vec::new(), Vec::new());
        for word in &words {
            let named = word.trim_start_matches(['!', '-', '+']);
            let of = SUITES.into_iter().filter(|suite| is_named(named, suite));
            let of: Vec<&str> = of.collect();
            match word.as_bytes()[0] {
                // What is not to be had is taken away already; order is no matter.
                b'!' => killed.extend(of),
                b'-' => kept.retain(|it| !of.contains(it)),
                b'+' | b'@' => {}
                _ if of.is_empty() && !SUITES_OF_1_3.contains(&named) => lacking.push(&**word),
                _ => kept.extend(of),
            }
        }
        kept.retain(|it| !killed.contains(it));
        self.lacks(key, &lacking, help);
        if kept.is_empty() {
            let message = format!("`{key}` leaves nothing of what is to be had here for TLS 1.2");
            let so = "all that is thought safe is offered; add one of ECDHE with AES-GCM";
            self.say(Severity::Warning, codes::FIELD_NOT_HONOURED, key, message, so);
            return None;
        }
        Some(
            SUITES
                .iter()
                .filter(|it| kept.contains(it))
                .chain(&SUITES_OF_1_3)
                .map(|it| Arc::from(*it))
                .collect(),
        )
    }
}

/// Whether a word of OpenSSL (`ECDHE-RSA-AES128-GCM-SHA256`, `EECDH+AESGCM`, `HIGH`) names a suite.
fn is_named(word: &str, suite: &str) -> bool {
    let own = openssl_name(suite);
    if word == own || word == suite {
        return true;
    }
    let is_of = |part: &str| match part {
        "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" | "ECDH" => true,
        "ECDSA" | "aECDSA" => own.contains("ECDSA"),
        "aRSA" => own.contains("RSA"),
        "AES" | "AESGCM" => own.contains("AES"),
        "AES128" => own.contains("AES128"),
        "AES256" => own.contains("AES256"),
        "CHACHA20" => own.contains("CHACHA20"),
        "SHA256" | "SHA384" => own.ends_with(part),
        all => ALL.contains(&all),
    };
    word.split('+').all(is_of)
}

/// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` is its `ECDHE-RSA-AES128-GCM-SHA256`.
fn openssl_name(suite: &str) -> String {
    let name = suite.trim_start_matches("TLS_").replace("_WITH_", "-").replace("AES_", "AES");
    name.replace('_', "-").replace("POLY1305-SHA256", "POLY1305")
}
