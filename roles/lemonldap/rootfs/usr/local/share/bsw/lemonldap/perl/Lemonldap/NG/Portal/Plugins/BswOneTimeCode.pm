# A code of an app is good once (RFC 6238, 5.2): whoever saw it typed cannot use it too. LemonLDAP::NG 2.21 takes it as long
# as it is valid.
package Lemonldap::NG::Portal::Plugins::BswOneTimeCode;

use strict;
use Mouse;
use Lemonldap::NG::Portal::Main::Constants qw(PE_OK PE_BADOTP);

extends 'Lemonldap::NG::Portal::Main::Plugin';

use constant hook => { sfAfterVerify => 'once' };

sub once {
    my ( $self, $req, $module, $session, $verified ) = @_;
    return PE_OK unless $module->prefix eq 'totp' and $verified->{result} == PE_OK;
    my $who   = $session->{ $self->conf->{whatToTrace} };
    my $now   = time;
    my $valid = $self->conf->{totp2fInterval} * ( 2 * $self->conf->{totp2fRange} + 1 );
    my $known = $self->p->getPersistentSession($who);
    my %used  = map { split /=/ } split /,/, ( $known && $known->data->{bswUsedCodes} ) // '';
    delete @used{ grep { $used{$_} < $now - $valid } keys %used };

    my $code = $req->param('code');
    if ( $used{$code} ) {
        $self->userLogger->warn("$who: a code was used before");
        $verified->{result} = PE_BADOTP;
        return PE_OK;
    }
    $used{$code} = $now;
    $self->p->updatePersistentSession( $req, { bswUsedCodes => join ',', map { "$_=$used{$_}" } sort keys %used }, $who );
    return PE_OK;
}

1;
