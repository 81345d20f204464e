# A proof key in clear (RFC 7636, "plain") proves nothing; NL GOV asks for S256. LemonLDAP::NG takes both.
package Lemonldap::NG::Portal::Plugins::BswProofKey;

use strict;
use Mouse;
use Lemonldap::NG::Portal::Main::Constants qw(PE_OK PE_ERROR);

extends 'Lemonldap::NG::Portal::Main::Plugin';

use constant hook => { oidcGotRequest => 'check' };

sub check {
    my ( $self, $req, $asked ) = @_;
    return PE_OK unless $asked->{code_challenge};
    return PE_OK if ( $asked->{code_challenge_method} // '' ) eq 'S256';
    $self->userLogger->error('A client sent a proof key that is not S256');
    return PE_ERROR;
}

1;
