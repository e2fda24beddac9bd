//! Pages and queries, into which others write.

use crate::{LoginPage, Onward, Parameters, form, resent_later, sent_again, with_query};

const MARKUP: &str = "</script><img src=x onerror=alert(1)>\"'&";

#[test]
fn what_others_write_is_no_markup() {
    let link = LoginPage::says(MARKUP, MARKUP, Some(Onward::Link(MARKUP, MARKUP)));
    let button = LoginPage::says(MARKUP, MARKUP, Some(Onward::Button(MARKUP, MARKUP)));
    let kept = resent_later(&form([(MARKUP, MARKUP)]), MARKUP, MARKUP, [0; 16]);
    let again = sent_again(MARKUP, MARKUP, [0; 16]);
    for page in
        [link, button, LoginPage::leads(MARKUP), LoginPage::says("a", "b", None), kept, again]
    {
        assert!(!page.text.contains("<img"), "{}", page.text);
        assert!(page.text.matches("</script>").count() <= 1, "{}", page.text);
        let has_script = page.text.contains("<script nonce=\"AAAAAAAAAAAAAAAAAAAAAA\">");
        assert_eq!(has_script, page.policy.contains("script-src 'nonce-AAAAAAAAAAAAAAAAAAAAAA'"));
        assert!(page.policy.starts_with("default-src 'none';"), "{}", page.policy);
    }
}

#[test]
fn queries_and_forms() {
    let read = Parameters::read("a=b+c%20d&e&f=%zz%4&g=1&g=2&&%61%3D=%C3%A9");
    let found = ["a", "e", "f", "g", "a=", "x"].map(|name| read.get(name));
    assert_eq!(found, [Some("b c d"), Some(""), Some("%zz%4"), None, Some("é"), None]);
    let pairs: Vec<(&str, &str)> = read.pairs().collect();
    assert!(Parameters::read(&form(pairs)) == read);
    let many = "a=1&".repeat(10_000);
    assert_eq!(Parameters::read(&many).pairs().count(), 256);
    for (url, expected) in
        [("https://a/", "https://a/?b=c&d=%26"), ("https://a/?x=y#z", "https://a/?x=y&b=c&d=%26")]
    {
        assert_eq!(with_query(url, [("b", "c"), ("d", "&")]), expected);
    }
}
