//! What the client would not survive: addresses that are none, and characters that no request may carry.

use object_store::ClientConfigKey;
use object_store::aws::AmazonS3ConfigKey as Key;
use url::Url;

use super::settings::value;

/// What counts as yes, to the client too; everything else it knows is no.
const YES: [&str; 5] = ["1", "true", "on", "yes", "y"];

/// Whether the bucket stands before the host and not in the path.
pub(super) fn is_virtual_hosted(options: &[(Key, String)]) -> bool {
    value(options, Key::VirtualHostedStyleRequest).is_some_and(|text| YES.contains(&text.to_ascii_lowercase().as_str()))
}

/// Says what is wrong with the options, and how to mend it. No value is repeated: any may be a secret, or hold one.
pub(super) fn complaint(bucket: &str, options: &[(Key, String)]) -> Option<String> {
    options.iter().find_map(|(key, value)| {
        let name = key.as_ref();
        if is_address(key) {
            return no_address(value).then(|| format!("`{name}` is no address such as `https://host:9000`"));
        }
        // Paths and certificates are not sent.
        let is_kept = matches!(
            key,
            Key::WebIdentityTokenFile
                | Key::ContainerAuthorizationTokenFile
                | Key::Client(ClientConfigKey::ProxyCaCertificate)
        );
        (!is_kept && !value.chars().all(|one| matches!(one, ' '..='~'))).then(|| {
            format!("`{name}` holds a line break or another character that no request can carry: is there one at its end?")
        })
    })
    .or_else(|| {
        // Elsewhere than at AWS a region may be called anything.
        let is_aws = value(options, Key::S3Endpoint).or_else(|| value(options, Key::Endpoint)).is_none();
        let region = value(options, Key::Region).or_else(|| value(options, Key::DefaultRegion))?;
        let is_region = !is_aws || region.chars().all(|one| one.is_ascii_alphanumeric() || one == '-');
        (!is_region).then(|| "`aws_region` is no region such as `eu-central-1`".to_owned())
    })
    .or_else(|| {
        let endpoint = value(options, Key::S3Endpoint).or_else(|| value(options, Key::Endpoint))?;
        let is_wrong = is_virtual_hosted(options) && no_address(&before_host(endpoint, bucket));
        is_wrong.then(|| {
            "this bucket's name cannot stand before the endpoint's host, as for one of numbers: give the bucket in the \
             path (`path_style: true`)"
                .to_owned()
        })
    })
}

/// The endpoint with the bucket in it.
pub(super) fn before_host(endpoint: &str, bucket: &str) -> String {
    endpoint.replacen("://", &format!("://{bucket}."), 1)
}

fn is_address(key: &Key) -> bool {
    matches!(
        key,
        Key::Endpoint | Key::S3Endpoint | Key::StsEndpoint | Key::MetadataEndpoint | Key::ContainerCredentialsFullUri
    )
}

fn no_address(text: &str) -> bool {
    // What `Url` forgives, such as a space at the end, others do not.
    let is_plain = text.chars().all(|one| matches!(one, '!'..='~'));
    let is_whole = |url: &Url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    !is_plain || !text.contains("://") || !Url::parse(text).is_ok_and(|url| is_whole(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(options: &[(Key, &str)]) -> Option<String> {
        let options: Vec<(Key, String)> = options.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        complaint("some-bucket", &options)
    }

    #[test]
    fn addresses_are_addresses() {
        for wrong in
            ["localhost:9000", "http://:9000", "http://", "ftp://host", "http://[::1", "http://host name", "x\n"]
        {
            let said = said(&[(Key::Endpoint, wrong)]).unwrap_or_else(|| panic!("{wrong}"));
            assert!(said.starts_with("`aws_endpoint` is no address"), "{said}");
        }
        for right in ["http://127.0.0.1:9000", "https://host", "https://host/", "http://[::1]:9000"] {
            assert_eq!(said(&[(Key::Endpoint, right)]), None, "{right}");
        }
    }

    #[test]
    fn a_bucket_before_a_host_of_numbers_is_no_address() {
        for yes in ["true", "True", "1", "yes"] {
            let style = (Key::VirtualHostedStyleRequest, yes);
            assert!(said(&[(Key::Endpoint, "http://127.0.0.1:9000"), style]).unwrap().contains("path_style: true"));
            assert_eq!(said(&[(Key::Endpoint, "http://s3.example:9000"), style]), None);
        }
        let no = (Key::VirtualHostedStyleRequest, "false");
        assert_eq!(said(&[(Key::Endpoint, "http://127.0.0.1:9000"), no]), None);
    }

    #[test]
    fn what_is_sent_can_be_sent_and_is_not_repeated() {
        for (key, name) in [(Key::SecretAccessKey, "aws_secret_access_key"), (Key::Token, "aws_session_token")] {
            let said = said(&[(key, "hidden-key\n")]).unwrap();
            assert!(said.contains(name) && !said.contains("hidden"), "{said}");
        }
        assert_eq!(said(&[(Key::WebIdentityTokenFile, "/run/schlüssel")]), None);
        assert!(said(&[(Key::Region, "eu central")]).unwrap().contains("region"));
    }
}
